"""Colours with a meaning: blocks by hue, classes that stay apart under the colour blindnesses, and scales by what they show."""

from __future__ import annotations

__all__ = ["BLOCKS", "HUES24", "ON_DARK", "PETROFF10", "VERDICTS", "VIK", "VIRIDIS"]

#: Hues of the latent blocks by theme: private to the first modality, shared, private to the second.
BLOCKS = {
    "dark": ("#58a6ff", "#f2b632", "#f4736e"),
    "light": ("#1f6feb", "#a87400", "#d03b36"),
}

#: What was kept, and what was not, by theme; signs or words beside them say the same.
VERDICTS = {"dark": ("#56d364", "#ff7b72"), "light": ("#1a7f37", "#cf222e")}

#: Ten classes (Petroff, 2021). Weak on white, so that maps are drawn on a dark ground.
PETROFF10 = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")

#: Angles and other amounts around a neutral value, at equal steps (Crameri, 2018).
VIK = ("#001261", "#033e7d", "#1e6f9d", "#71a8c4", "#c9dde7", "#eacebd", "#d39774", "#be6533", "#8b2706", "#590008")

#: KL, errors and other amounts from zero, at equal steps, dark to light.
VIRIDIS = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725")

#: More than ten classes, one after the other and then over again: hues by the golden angle, of lightness 0.6 and 0.8 in turn (OKLCH).
HUES24 = ("#ce514d", "#38dd9f", "#9065d0", "#f6ae21", "#068fa7", "#fe9ac6", "#5f9205", "#a1bcff", "#cb5a19", "#19dac5", "#a95bba", "#dabd1c",
          "#0c8bc0", "#fe9ea9", "#129948", "#bab3fe", "#b46d10", "#0dd7e4", "#bc549e", "#b6cb41", "#3380dd", "#ffa28e", "#129676", "#d5a7fe")

#: By the kind of a column, as points on the dark ground of a map: scales without their darkest ends, which it would swallow.
ON_DARK = {"few": PETROFF10, "many": HUES24, "around": VIK[2:8], "from": VIRIDIS[2:]}
