r"""Pictures of procedural heads: points splatted into a depth buffer, then lit by one distant light that casts shadows.

Angles are degrees. Azimuth turns the head to the viewer's right, elevation tips it to look down, lighting moves the
light to the viewer's right; the light belongs to the camera, `LIGHT_HEIGHT` above it, and does not turn with the head.
"""

from __future__ import annotations

__all__ = ["render", "render_identity", "render_views"]

import json
import os
import sys
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .head import Head, build_head, identity_traits

Array = NDArray[np.floating]

LIGHT_HEIGHT = 12.0  # degrees above the camera
CAMERA_DISTANCE, ZOOM, CENTRE = 6.0, 0.38, 0.05  # in half heads; in picture widths per half head; height looked at
AMBIENT, DIFFUSE, FILL, SPECULAR, SHININESS = 0.13, 1.00, 0.07, 0.09, 14
SHADOW_SIZE, SHADOW_SPAN = 120, 1.75  # pixels and half-width of a shadow map
SHADOW_BIAS, SHADOW_LIFT = 0.06, 0.04  # along the light and along the normal
SIZES = (16, 128)  # beyond, the points no longer cover the surface


def rotation(azimuth: float, elevation: float) -> Array:
    """The matrix [3, 3] that takes a head's coordinates to the camera's."""
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    tip = np.array([[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]])
    return (tip @ turn).astype(np.float32)


def light_direction(lighting: float) -> Array:
    """Unit vector [3] towards the light, in the camera's coordinates."""
    a, h = np.deg2rad(lighting), np.deg2rad(LIGHT_HEIGHT)
    return np.array([np.sin(a) * np.cos(h), np.sin(h), np.cos(a) * np.cos(h)], np.float32)


def _visible(head: Head, pose: Array, side: int) -> tuple[Array, Array]:
    """The covered pixels of a side × side picture (flat indices) and the point that is nearest in each."""
    which = np.flatnonzero(head.normals @ pose[2] > -0.08)
    at = head.points.take(which, 0) @ pose.T
    scale = ZOOM * side * CAMERA_DISTANCE / (CAMERA_DISTANCE - at[:, 2])
    column = (at[:, 0] * scale + side / 2).astype(np.int32)
    row = ((CENTRE - at[:, 1]) * scale + side / 2).astype(np.int32)
    within = (column >= 0) & (column < side) & (row >= 0) & (row < side)
    stride = side + 2  # a border of one pixel spares bounds tests below
    # depth in the high bits, the point's index in the low ones: one maximum finds the nearest point and who it is
    key = (((at[:, 2] + 4.0) * (1 << 17)).astype(np.int64) << 20) | which
    buffer = np.zeros(stride * stride, np.int64)
    np.maximum.at(buffer, ((row + 1) * stride + column + 1)[within], key[within])
    for _ in range(2):
        _fill_pinholes(buffer.reshape(stride, stride))
    nearest = buffer.reshape(stride, stride)[1:-1, 1:-1].reshape(-1)
    pixels = np.flatnonzero(nearest)
    return pixels, nearest[pixels] & ((1 << 20) - 1)


def _fill_pinholes(buffer: NDArray[np.int64]) -> None:
    """An empty pixel with five or more covered neighbours takes the nearest of them, in place."""
    full = (buffer > 0).astype(np.int8)
    rows = full[:-2] + full[1:-1] + full[2:]
    count = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    y, x = np.nonzero((full[1:-1, 1:-1] == 0) & (count >= 5))
    if len(y):
        neighbours = [buffer[y + dy, x + dx] for dy in (0, 1, 2) for dx in (0, 1, 2)]
        buffer[y + 1, x + 1] = np.maximum.reduce(neighbours)


def _light_axes(direction: Array) -> Array:
    """Across, up and towards the light, as rows [3, 3]."""
    across = np.cross([0.0, 1.0, 0.001], direction)
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(direction, across), direction]).astype(np.float32)


@lru_cache(maxsize=64)  # the same few directions light every pose of a head
def _shadow_map(head: Head, direction: tuple[float, float, float]) -> Array:
    """Depth towards the light of the nearest surface, float32 [SHADOW_SIZE²], from every second point."""
    axes = _light_axes(np.array(direction))
    facing = np.flatnonzero(head.normals[::2] @ axes[2] > -0.1) * 2
    at = head.points.take(facing, 0) @ axes.T
    nearest = np.full(SHADOW_SIZE**2, -9, np.float32)
    np.maximum.at(nearest, _shadow_pixels(at), at[:, 2])
    return nearest


def _shadow_pixels(at: Array) -> NDArray[np.int32]:
    """Flat indices of shadow-map pixels, none of them on the border."""
    scale = SHADOW_SIZE / (2 * SHADOW_SPAN)
    column, row = ((at[:, i] * scale + SHADOW_SIZE / 2).astype(np.int32).clip(1, SHADOW_SIZE - 2) for i in (0, 1))
    return row * SHADOW_SIZE + column


def _lit(head: Head, direction: Array, places: Array) -> Array:
    """Share of the light that reaches these places [P, 3] past the head, [P]: soft, as nine neighbouring pixels vote."""
    key = tuple(np.round(direction.astype(float), 4).tolist())
    depth_map = _shadow_map(head, key)
    at = places @ _light_axes(np.array(key)).T
    pixel, depth = _shadow_pixels(at), at[:, 2] + SHADOW_BIAS
    votes = np.zeros(len(places), np.uint8)
    for step in (-SHADOW_SIZE, 0, SHADOW_SIZE):
        for shift in (-1, 0, 1):
            votes += depth > depth_map.take(pixel + (step + shift))
    return votes.astype(np.float32) / 9


def render_views(head: Head, azimuth: float, elevation: float, lightings: Sequence[float], size: int = 64) -> NDArray[np.uint8]:
    """One pose of a head under each of k lights, uint8 [k, size, size]."""
    oversample = 2 if size <= 64 else 1
    side = size * oversample
    pose = rotation(azimuth, elevation)
    pixels, points = _visible(head, pose, side)
    normals = head.normals[points]
    places = head.points[points] + SHADOW_LIFT * normals  # off the surface, lest it shade itself
    normals = normals @ pose.T
    albedo, openness, gloss = head.albedo[points], head.openness[points], head.gloss[points]
    ambient = AMBIENT * openness + FILL * np.maximum(0, normals[:, 2])
    pictures = np.zeros((len(lightings), side * side), np.float32)
    for picture, lighting in zip(pictures, lightings, strict=True):
        light = light_direction(lighting)
        lit = _lit(head, pose.T @ light, places)
        facing = normals @ light
        half = light + np.array([0, 0, 1], np.float32)
        shine = np.maximum(0, normals @ (half / np.linalg.norm(half))) ** SHININESS
        diffuse = DIFFUSE * np.maximum(0, (facing + 0.08) / 1.08) * (0.45 + 0.55 * openness)
        picture[pixels] = albedo * (ambient + diffuse * lit) + SPECULAR * gloss * shine * (facing > 0) * openness * lit
    pictures = pictures.reshape(len(lightings), size, oversample, size, oversample).mean((2, 4))
    return (np.clip(pictures, 0, 1) * 255 + 0.5).astype(np.uint8)


@lru_cache(maxsize=12)  # about 5 MB each
def identity_head(identity: int) -> Head:
    """The head of one of the fifty identities, kept in memory once built (about half a second)."""
    return build_head(identity_traits(identity))


def render(identity: int, azimuth: float, elevation: float, lighting: float, size: int = 64) -> NDArray[np.float32]:
    """A picture of an identity at any angles, also between the grid's, float32 [size, size] in [0, 1].

    Arguments:
        identity: 0 to 49.
        azimuth, elevation, lighting: Degrees; see the module's first lines for their signs.
        size: Pixels a side, 16 to 128.

    Raises:
        ValueError: Where the identity or the size is out of range.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(f"a picture of {size} pixels a side cannot be rendered: expected {SIZES[0]} to {SIZES[1]}")
    return render_views(identity_head(int(identity)), azimuth, elevation, [lighting], size)[0].astype(np.float32) / 255


def render_identity(
    identity: int, azimuths: Sequence[float], elevations: Sequence[float], lightings: Sequence[float]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What the pair experiment shows of an identity, uint8 [azimuths, elevations, 64, 64] and [azimuths, lightings, 64, 64].

    The first has neutral light, the second neutral elevation.
    """
    head = identity_head(identity)
    by_light = np.stack([render_views(head, azimuth, 0.0, lightings) for azimuth in azimuths])
    by_elevation = [[render_views(head, azimuth, elevation, [0.0])[0] for elevation in elevations] for azimuth in azimuths]
    return np.stack(by_elevation), by_light


if __name__ == "__main__":  # how a data set has an identity drawn by another process: arguments as JSON in, pixels out
    if hasattr(os, "nice"):
        os.nice(10)  # a person may be dragging a slider meanwhile; where nobody is, it costs nothing
    for pictures in render_identity(*json.loads(sys.argv[1])):
        sys.stdout.buffer.write(pictures.tobytes())
