"""Measurements of speed, each beside what it replaces; run by `python -m mmvae bench`."""
