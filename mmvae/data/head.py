r"""Procedural heads: one smooth shell of points from a few named traits, made from formulas alone.

The shell is a surface :math:`r(u, y)` around a vertical axis (``u`` the angle from the face's midline, ``y`` the height),
onto which the features of a face are added as small displacements. Units: half a head is about 1; x points to the
viewer's right, y up, z out of the face towards the viewer.
"""

from __future__ import annotations

__all__ = ["TRAITS", "Head", "build_head", "identity_traits"]

from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

#: What tells heads apart, each a number within ±`LIMIT` (0: average), with how much it shows: the measured frontal
#: RMSE of a change from −0.8 to 0.8, in twentieths of the grey range. Identities are spread in the space so weighted.
TRAITS = {
    "face_width": 1.2, "jaw_width": 0.8, "chin_length": 0.75, "chin_out": 0.27, "skull_length": 0.07, "forehead": 0.5,
    "brow_ridge": 0.17, "brow_height": 0.34, "brow_tone": 0.31, "eye_gap": 0.56, "eye_size": 0.3, "eye_depth": 0.15,
    "eye_tilt": 0.21, "nose_length": 0.82, "nose_out": 0.18, "nose_width": 0.24, "nose_hump": 0.11, "cheekbone": 0.21,
    "cheek_fat": 0.21, "mouth_width": 0.24, "lips": 0.22, "mouth_height": 0.53, "smile": 0.16, "ear": 0.5, "skin": 2.2,
    "lip_tone": 0.17, "hair_tone": 1.75, "hairline": 1.0, "hair_volume": 0.7, "hair_length": 0.77, "beard": 0.9,
}
LIMIT = 1.7
ROWS, COLUMNS = 410, 310
DOME_ROWS = 105  # of these, over the top of the skull
EAR_RINGS, EAR_STEPS = 34, 110


@dataclass(frozen=True, eq=False)
class Head:
    """A head as a cloud of oriented points, dense enough for pictures of about 128 pixels a side.

    Arguments:
        points: Positions, float32 [P, 3].
        normals: Outward unit normals, float32 [P, 3].
        albedo: Share of light that a point reflects, float32 [P].
        openness: Share of the sky that a point sees (ambient occlusion), float32 [P].
        gloss: Strength of the highlight relative to skin's, float32 [P].
    """

    points: Array
    normals: Array
    albedo: Array
    openness: Array
    gloss: Array


@dataclass
class Shell:
    """A patch of surface under construction: grids [rows, columns] of position, paint and gloss."""

    points: Array
    normals: Array
    albedo: Array
    gloss: Array

    def flat(self) -> tuple[Array, ...]:
        grids = (self.points, self.normals, self.albedo, self.gloss)
        return tuple(np.ascontiguousarray(g.reshape((-1,) + g.shape[2:]), np.float32) for g in grids)


# ---- identities


@lru_cache(maxsize=1)
def _spread_traits(count: int = 50, candidates: int = 1500, seed: int = 1) -> Array:
    """Traits of `count` heads that differ clearly, [count, traits]: each is the candidate farthest from those before it."""
    rng = np.random.default_rng(seed)
    pool = np.clip(rng.normal(0, 0.85, (candidates, len(TRAITS))), -LIMIT, LIMIT)
    seen = pool * np.array(list(TRAITS.values()))
    chosen = [int(np.argmin((seen**2).sum(1)))]
    nearest = np.full(candidates, np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, ((seen - seen[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(np.argmax(nearest)))
    return pool[chosen]


def identity_traits(identity: int) -> dict[str, float]:
    """The traits of one of the fifty identities, the same on every machine.

    Raises:
        ValueError: Where the identity is not in 0…49.
    """
    traits = _spread_traits()
    if not 0 <= identity < len(traits):
        raise ValueError(f"identity {identity} does not exist: expected 0 to {len(traits) - 1}")
    return dict(zip(TRAITS, traits[identity].tolist(), strict=True))


# ---- curves


def bump(offset: Array, width: float | Array) -> Array:
    """A bell of height 1 and standard deviation `width`."""
    return np.exp(-0.5 * (offset / width) ** 2)


def ramp(start: float | Array, end: float | Array, x: Array) -> Array:
    """A smooth step from 0 at `start` to 1 at `end` (which may lie below `start`)."""
    t = np.clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def curve(knots: list[float], values: list[float] | Array, x: Array) -> Array:
    """Monotone cubic interpolation through (knots, values), constant beyond the ends.

    References:
        Fritsch & Carlson (1980), Monotone Piecewise Cubic Interpolation.
    """
    k, v = np.asarray(knots, float), np.asarray(values, float)
    h = np.diff(k)
    d = np.diff(v) / h
    same_sign = d[:-1] * d[1:] > 0
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        harmonic = (w1 + w2) / (w1 / d[:-1] + w2 / d[1:])
    slope = np.concatenate([d[:1], np.where(same_sign, harmonic, 0), d[-1:]])
    x = np.clip(x, k[0], k[-1])
    i = np.clip(np.searchsorted(k, x) - 1, 0, len(k) - 2)
    t, hi = (x - k[i]) / h[i], h[i]
    rise = v[i] * (1 + 2 * t) * (1 - t) ** 2 + v[i + 1] * t * t * (3 - 2 * t)
    return rise + hi * t * (1 - t) * (slope[i] * (1 - t) - slope[i + 1] * t)


def surface_normals(points: Array) -> Array:
    """Unit normals of a grid of points [rows, columns, 3] whose columns wrap around."""
    across = np.roll(points, -1, 1) - np.roll(points, 1, 1)
    normals = np.cross(across, np.gradient(points, axis=0))
    return normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9)


# ---- the shell


def _landmarks(t: SimpleNamespace) -> SimpleNamespace:
    """Heights, half-distances and sizes that several features share."""
    chin_drop = 0.07 * t.chin_length
    nose_y = -0.37 - 0.05 * t.nose_length
    return SimpleNamespace(
        chin_drop=chin_drop,
        chin_y=-1.17 - chin_drop,
        eye_x=0.320 + 0.026 * t.eye_gap,
        eye_y=0.01,
        eye_size=1.06 + 0.12 * t.eye_size,
        brow_y=0.215 + 0.022 * t.brow_height,
        nose_y=nose_y,
        nose_width=0.92 + 0.15 * t.nose_width,
        nose_out=0.95 + 0.16 * t.nose_out,
        mouth_y=-0.70 - 0.028 * t.mouth_height - 0.03 * t.nose_length - 0.35 * chin_drop,
        mouth_width=0.235 * (1 + 0.13 * t.mouth_width),
        lips=1.0 + 0.30 * t.lips,
        smile=0.55 + 0.45 * t.smile,
    )


def _skull(t: SimpleNamespace, m: SimpleNamespace) -> tuple[Array, Array, Array]:
    """Angle u, height y and radius r of the featureless head and neck, each [ROWS, COLUMNS]."""
    bottom, cap, top = -2.35, 0.50, 1.15 + 0.05 * t.forehead
    u = np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)
    u = (u - 0.40 * np.sin(u))[None]  # denser in front
    dome = np.concatenate([np.zeros(ROWS - DOME_ROWS), np.linspace(0, np.pi / 2, DOME_ROWS + 1)[1:]])[:, None]
    fine = np.linspace(bottom, cap, 2000)
    under_chin = bump(fine - m.chin_y + 0.03, 0.06)  # where the surface lies almost flat
    density = np.cumsum(0.4 + ramp(-1.6, -1.3, fine) + 7 * under_chin)
    climb = np.interp(np.linspace(density[0], density[-1], ROWS - DOME_ROWS), density, fine)
    y = np.concatenate([climb, np.full(DOME_ROWS, cap)])[:, None] + (top - cap) * np.sin(dome)
    u, y = np.broadcast_to(u, (ROWS, COLUMNS)), np.broadcast_to(y, (ROWS, COLUMNS))
    cos, sin = np.cos(u), np.sin(u)
    face, jaw = 1.03 + 0.075 * t.face_width, 1.02 + 0.085 * t.jaw_width
    stretched = np.where(y < -0.3, -0.3 + (y + 0.3) * (0.87 / (0.87 + m.chin_drop)), y)
    level = stretched - 0.29 * (1 - np.clip(cos, 0, 1)) * ramp(0.0, -1.0, y)  # the jaw line rises towards the ear
    heights = [-1.26, -1.22, -1.17, -1.10, -1.00, -0.88, -0.72, -0.50, -0.25, 0.0, 0.22, 0.42, 0.50, 3]
    chin, brow = 0.05 * t.chin_out, 0.045 * t.forehead
    front = curve(heights, [0.05, 0.34, 0.60 + chin, 0.715 + chin, 0.755 + chin, 0.76 + chin / 2, 0.79, 0.805, 0.805, 0.815,
                            0.832 + brow / 3, 0.838 + brow, 0.835 + brow, 0.835 + brow], level)
    mid = (jaw + face) / 2
    side = curve(heights, [0.05, 0.22, 0.38 * jaw, 0.47 * jaw, 0.55 * jaw, 0.605 * jaw, 0.655 * jaw, 0.70 * mid, 0.73 * face,
                           0.745 * face, 0.75 * face, 0.75 * face, 0.745 * face, 0.745 * face], level)
    back = curve(heights, [0.3, 0.3, 0.32, 0.36, 0.42, 0.50, 0.60, 0.74, 0.88, 0.97, 1.01, 1.02, 1.01, 1.01], level)
    back = back * (1 + 0.06 * t.skull_length)
    power = curve([-1.3, -1.0, -0.6, 0.0, 0.5, 3], [2.0, 2.05, 2.2, 2.3, 2.2, 2.2], level)
    r = (np.abs(sin / side) ** power + np.abs(cos / np.where(cos > 0, front, back)) ** power) ** (-1 / power)
    r = r * np.cos(dome)
    neck_radius, neck_z = 0.46 + 0.04 * t.jaw_width + 0.20 * ramp(-1.3, -2.2, y), -0.23
    neck = neck_z * cos + np.sqrt(np.maximum(neck_radius**2 - (neck_z * sin) ** 2, 1e-4))
    joined = np.logaddexp(15 * r, 15 * neck * ramp(0.1, -0.5, y)) / 15  # a smooth union
    return u, y, np.where(y < 0.2, joined, r)


def _eye_frame(ax: Array, y: Array, t: SimpleNamespace, m: SimpleNamespace) -> SimpleNamespace:
    """Where a point lies relative to an eye: across (±1 at the corners), up, lid edges, mask of the eyeball."""
    across = (ax - m.eye_x) / (0.138 * m.eye_size)
    up = y - m.eye_y + 0.005 - 0.014 * (0.7 + t.eye_tilt) * across
    arch = np.clip(1 - across**2, 0, None)
    upper, lower = 0.064 * m.eye_size * arch**0.7, 0.048 * m.eye_size * arch**0.9
    inside = ramp(0.0, 0.012, np.minimum(upper - up, up + lower)) * (np.abs(across) < 1)
    return SimpleNamespace(across=across, up=up, upper=upper, lower=lower, inside=inside, lid=ramp(1.2, 0.7, np.abs(across)))


def _mouth_line(ax: Array, m: SimpleNamespace) -> Array:
    """Height of the line between the lips: a smile lifts its corners."""
    return m.mouth_y + 0.035 * m.smile * np.minimum(ax / m.mouth_width, 1.2) ** 2


def _relief(x: Array, y: Array, eye: SimpleNamespace, t: SimpleNamespace, m: SimpleNamespace) -> Array:
    """How far the face's features stand out along z, seen from the front."""
    ax = np.abs(x)
    d = -0.085 * (1 + 0.25 * t.eye_depth) * bump(ax - m.eye_x, 0.15) * bump(y - 0.01, 0.11)
    d -= 0.045 * bump(ax - 0.125, 0.055) * bump(y - 0.03, 0.09)
    d += 0.022 * (1 + 0.8 * t.brow_ridge) * bump(y - m.brow_y - 0.03 * bump(ax - 0.4, 0.15), 0.07) * ramp(0.68, 0.42, ax)
    d += 0.050 * (1 + 0.8 * t.cheekbone) * bump(ax - 0.44, 0.16) * bump(y + 0.22, 0.15)
    d += 0.036 * t.cheek_fat * bump(ax - 0.44, 0.16) * bump(y + 0.60, 0.19)
    d += 0.020 * m.smile * bump(ax - 0.36, 0.10) * bump(y - m.mouth_y - 0.22, 0.10)
    d += _nose(ax, y, t, m) + _mouth(x, y, t, m)
    d += 0.050 * (1 + 0.5 * t.chin_out) * bump(x, 0.16) * bump(y - m.chin_y - 0.17, 0.11)
    # the eyeball, its lids and the fold above
    d += 0.060 * np.clip(1 - ((ax - m.eye_x) / 0.20) ** 2 - (eye.up / 0.165) ** 2, 0, None) ** 1.3
    d += (0.015 * bump(eye.up - eye.upper - 0.018, 0.017) - 0.010 * bump(eye.up - eye.upper - 0.055, 0.016)) * eye.lid
    return d - 0.008 * eye.inside + 0.006 * bump(eye.up + eye.lower + 0.012, 0.012) * eye.lid


def _nose(ax: Array, y: Array, t: SimpleNamespace, m: SimpleNamespace) -> Array:
    """A ridge from the brow to a round tip, wings, and the valley beside them."""
    n = m.nose_y
    profile = curve([n - 0.19, n - 0.13, n - 0.07, n + 0.01, n + 0.11, n + 0.24, 0.0, 0.13, 0.30],
                    [0, 0.018, 0.092, 0.165, 0.150, 0.112 + 0.035 * t.nose_hump, 0.062 + 0.015 * t.nose_hump, 0.035, 0], y)
    width = curve([n - 0.1, n, n + 0.12, 0.0, 0.2], np.array([0.088, 0.088, 0.072, 0.062, 0.080]) * m.nose_width, y)
    d = profile * m.nose_out * (0.62 * bump(ax, width) + 0.38 * bump(ax, width * 1.9))
    d = d + 0.062 * m.nose_out * bump(np.hypot(ax / 1.15, y - n), 0.066)
    d += 0.060 * m.nose_out * bump(ax - 0.115 * m.nose_width, 0.048) * bump(y - n + 0.020, 0.048)
    return d - 0.020 * bump(ax - 0.20 * m.nose_width, 0.05) * bump(y - n + 0.02, 0.08)


def _mouth(x: Array, y: Array, t: SimpleNamespace, m: SimpleNamespace) -> Array:
    """Lips on a gentle mound, their corners, the philtrum and the fold above the chin."""
    ax, above = np.abs(x), y - _mouth_line(np.abs(x), m)
    along = ax / m.mouth_width
    d = 0.040 * bump(y - m.mouth_y, 0.16) * bump(x, 0.24)
    d += 0.030 * m.lips * bump(above - 0.046, 0.030 + 0.008 * t.lips) * ramp(1.25, 0.70, along)
    d += 0.038 * m.lips * bump(above + 0.056, 0.036 + 0.008 * t.lips) * ramp(1.1, 0.35, along)
    d -= 0.030 * bump(above, 0.016) * ramp(1.15, 0.85, along)
    d -= 0.018 * bump(ax - m.mouth_width * 1.12, 0.035) * bump(above, 0.045)
    d -= 0.010 * bump(x, 0.024) * bump(y - m.mouth_y - 0.13, 0.045)
    return d - 0.030 * bump(x, 0.17) * bump(y - m.mouth_y + 0.155, 0.05)


# ---- paint and hair


def _face_paint(x: Array, y: Array, facing: Array, eye: SimpleNamespace, t: SimpleNamespace, m: SimpleNamespace) -> Array:
    """Albedo of skin, lips, brows, beard and eyes; `facing`, the cosine of the angle from the midline, ends the face."""
    ax, front = np.abs(x), ramp(0.0, 0.15, facing)
    a = np.full_like(y, _skin_tone(t))
    a *= 1 + 0.05 * bump(ax - 0.42, 0.2) * bump(y + 0.35, 0.2) * front
    line = _mouth_line(ax, m)
    along, above = ax / m.mouth_width, y - line
    upper_edge = ramp(0.088 * m.lips, 0.066 * m.lips, above + 0.018 * bump(x, 0.035) + 0.02 * along**2)
    lower_edge = ramp(-0.105 * m.lips, -0.082 * m.lips, above - 0.02 * along**2)
    lips = ramp(1.10, 0.92, along) * upper_edge * lower_edge * front
    if t.beard > 0.55 and not _has_long_hair(t):  # moustache, chin and cheeks up to a line that rises towards the ear
        edge = m.mouth_y - 0.02 + 0.60 * ramp(0.20, 0.80, ax)
        cover = ramp(edge + 0.10, edge - 0.10, y) * ramp(m.chin_y - 0.16, m.chin_y + 0.02, y)
        moustache = bump(y - m.mouth_y - 0.13, 0.045) * ramp(m.mouth_width * 1.35, m.mouth_width, ax)
        beard = np.maximum(cover, moustache) * (1 - lips) * ramp(-0.05, 0.50, facing)
        a *= 1 - np.clip(0.32 + 0.25 * (t.beard - 0.55), 0, 0.6) * (1 - 0.5 * _hair_tone(t)) * beard
    a *= 1 - np.clip(0.24 + 0.10 * t.lip_tone, 0.06, 0.5) * lips
    a *= 1 - 0.45 * bump(above, 0.012) * ramp(1.08, 0.9, along) * front
    a *= 1 - 0.40 * bump(np.hypot((ax - 0.062 * m.nose_width) / 1.4, y - m.nose_y + 0.085), 0.018) * front
    off = (ax - m.eye_x - 0.015) / 0.20
    thickness = 0.020 + 0.006 * np.clip(1 - off, 0, 2)
    brow = ramp(1.08, 0.75, np.abs(off)) * bump(y - m.brow_y - 0.045 * (1 - off**2), thickness) * front
    a *= 1 - np.clip(0.50 + 0.2 * t.brow_tone, 0.15, 0.85) * brow
    distance = np.hypot(ax - m.eye_x, eye.up - 0.008)
    eyeball = 0.72 - 0.48 * ramp(0.066, 0.054, distance) - 0.18 * ramp(0.032, 0.022, distance)
    inside = eye.inside * front
    a = a * (1 - inside) + inside * eyeball
    a *= 1 - 0.60 * bump(eye.up - eye.upper, 0.011) * ramp(1.12, 0.95, np.abs(eye.across)) * front
    folds = 0.10 * bump(eye.up - eye.upper - 0.055, 0.014) + 0.08 * bump(eye.up + eye.lower + 0.03, 0.02)
    return a * (1 - folds * eye.lid * front)


def _skin_tone(t: SimpleNamespace) -> float:
    return 0.62 + 0.125 * t.skin


def _hair_tone(t: SimpleNamespace) -> float:
    return float(np.clip(0.27 + 0.20 * t.hair_tone, 0.05, 0.62))


def _is_bald(t: SimpleNamespace) -> bool:
    return t.hair_volume < -1.15


def _has_long_hair(t: SimpleNamespace) -> bool:
    return t.hair_length > 0.45 and not _is_bald(t)


def _hair(u: Array, y: Array, t: SimpleNamespace) -> tuple[Array, Array]:
    """Where short hair grows on the skull, 0 to 1, and how thick it is."""
    if _is_bald(t):
        return np.zeros_like(y), np.zeros_like(y)
    h = 0.70 + 0.08 * t.hairline
    line = curve([0.0, 0.45, 0.72, 0.92, 1.05, 1.25, 1.38, 1.62, 1.80, 2.0, 2.4, np.pi + 0.1],
                 [h, h + 0.02, h - 0.08, 0.46, 0.25, 0.14, -0.08, -0.14, -0.16, -0.50, -0.72, -0.78], np.abs(u))
    hair = ramp(-0.035, 0.045, y - line)
    return hair, hair * (0.04 + 0.055 * np.clip(1.1 + t.hair_volume, 0, 2.7) * ramp(0.30, 0.95, y))


def _head_shell(t: SimpleNamespace, m: SimpleNamespace) -> Shell:
    u, y, r = _skull(t, m)
    cos, sin = np.cos(u), np.sin(u)
    hair, thickness = _hair(u, y, t)
    x, z = r * sin, r * cos
    eye = _eye_frame(np.abs(x), y, t, m)
    eye.inside = eye.inside * (cos > 0)
    z = z + _relief(x, y, eye, t, m) * ramp(0.02, 0.40, cos) * ramp(1.0, 0.85, y) * ramp(-1.6, -1.3, y)
    points = np.stack([x, y, z], -1)
    points = points + thickness[..., None] * surface_normals(points)
    normals = surface_normals(points)
    albedo = _face_paint(x, y, cos, eye, t, m) * (1 - hair) + hair * _hair_tone(t)
    return Shell(points, normals, albedo, (1 - 0.6 * hair) + 0.8 * eye.inside)


def _long_hair_shells(head: Shell, t: SimpleNamespace) -> list[Shell]:
    """Hair that falls from the skull's widest level behind the face, and the side of it that faces the neck."""
    level = int(np.argmin(np.abs(head.points[: ROWS - DOME_ROWS, 0, 1] - 0.32)))
    ring = head.points[level]
    angle = np.arctan2(ring[:, 0], -ring[:, 2])  # 0 at the back of the head
    order = np.argsort(angle)
    edge = np.pi - 1.22
    a = np.linspace(-edge, edge, 420)[None]
    radius = np.interp(a, angle[order], np.hypot(ring[:, 0], ring[:, 2])[order])
    drop = np.linspace(0, 1.15 + 0.18 * t.hair_length, 110)[:, None]
    radius = radius * (1 + 0.06 * ramp(0, 0.5, drop) - 0.05 * ramp(0.7, 1.5, drop)) + 0.004 * np.cos(31 * a) * ramp(0, 0.4, drop)
    back = a * (1 - 0.10 * ramp(0, 0.5, drop))  # the front edge swings back from the cheek
    points = np.stack([radius * np.sin(back), ring[0, 1] - drop + 0 * a, -radius * np.cos(back)], -1)
    normals = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    albedo = np.full(normals.shape[:2], _hair_tone(t))
    inner = Shell(points - 0.03 * normals, -normals, albedo, np.zeros_like(albedo))
    return [Shell(points, normals, albedo, np.full_like(albedo, 0.4)), inner]


def _ear_shells(head: Shell, t: SimpleNamespace) -> list[Shell]:
    """Two flattened cups with a rim, each with its back side so that it shows from behind."""
    a = np.linspace(0, 2 * np.pi, EAR_STEPS, endpoint=False)[None]
    ring = np.sqrt(np.linspace(0.0004, 1, EAR_RINGS))[:, None]
    size, tilt = 1 + 0.16 * t.ear, 0.5 + 0.12 * t.ear
    along = ring * np.cos(a) * 0.125 * size * (1 + 0.30 * np.sin(a) * ring)  # the lobe is narrower
    up = ring * np.sin(a) * 0.205 * size
    height = 0.055 * np.sqrt(np.clip(1 - ring**2, 0, 1)) + 0.030 * bump(ring - 0.82, 0.11)
    height = height - 0.042 * bump(np.hypot((along + 0.015) / 0.055, (up + 0.02) / 0.09), 0.75)
    out, forward = height * np.cos(tilt) - along * np.sin(tilt), along * np.cos(tilt) + height * np.sin(tilt)
    near = np.abs(head.points[..., 1] + 0.07) + np.abs(head.points[..., 2] + 0.09) + (head.points[..., 0] < 0)
    x0 = head.points.reshape(-1, 3)[np.argmin(near), 0]
    albedo = _skin_tone(t) * (1 - 0.10 * bump(ring - 0.45, 0.2)) + 0 * a
    shells = []
    for side in (1, -1):
        points = np.stack([side * (x0 + 0.030 + out), up - 0.07, forward - 0.10 + 0.06 * up], -1)
        normals = surface_normals(points)
        if (normals[EAR_RINGS // 2] @ np.array([side, 0, 0.35])).mean() < 0:
            normals = -normals
        shells.append(Shell(points, normals, albedo, np.ones_like(albedo)))
        shells.append(Shell(points - 0.03 * normals, -normals, albedo, np.ones_like(albedo)))
    return shells


# ---- ambient occlusion


def _ambient_occlusion(points: Array, normals: Array, directions: int = 36, size: int = 112) -> Array:
    """Share of the cosine-weighted sky that each point sees [P], by one small depth map per direction (a Fibonacci sphere)."""
    seen, total = np.zeros(len(points), np.float32), np.full(len(points), 1e-6, np.float32)
    centred = (points - points.mean(0)).astype(np.float32)
    scale = size / (2 * np.abs(centred).max() * 1.2)
    for i in range(directions):
        height, turn = 1 - 2 * (i + 0.5) / directions, i * np.pi * (3 - 5**0.5)
        flat = np.sqrt(1 - height**2)
        d = np.array([flat * np.cos(turn), height, flat * np.sin(turn)], np.float32)
        across = np.cross(d, [0.0, 1.0, 0.01])
        across = (across / np.linalg.norm(across)).astype(np.float32)
        facing = normals @ d
        which = np.flatnonzero(facing > 0)
        at = centred[which]
        axes = (across, np.cross(across, d))
        column, row = ((at @ axis * scale + size / 2).astype(np.int32).clip(0, size - 1) for axis in axes)
        pixel, depth = row * size + column, at @ d
        nearest = np.full(size * size, -9, np.float32)
        np.maximum.at(nearest, pixel, depth)
        total[which] += facing[which]
        seen[which] += facing[which] * (depth > nearest[pixel] - 0.06)
    return seen / total


def _smooth(grid: Array, reach: int) -> Array:
    """Box average over 2·reach + 1 rows (edges repeat) and columns (which wrap around)."""
    width = 2 * reach + 1
    for axis, mode in ((0, "edge"), (1, "wrap")):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (reach + 1, reach)
        total = np.swapaxes(np.cumsum(np.pad(grid, pad, mode=mode), axis, dtype=np.float64), 0, axis)
        grid = np.swapaxes(total[width:] - total[:-width], 0, axis) / width
    return grid


def build_head(traits: dict[str, float]) -> Head:
    """The head with these traits; a trait left out is average.

    Raises:
        ValueError: Where a trait has an unknown name.
    """
    unknown = sorted(set(traits) - set(TRAITS))
    if unknown:
        raise ValueError(f"unknown trait {unknown[0]!r}: expected some of {', '.join(TRAITS)}")
    t = SimpleNamespace(**{**dict.fromkeys(TRAITS, 0.0), **traits})
    shell = _head_shell(t, _landmarks(t))
    shells = [shell, *(_long_hair_shells(shell, t) if _has_long_hair(t) else _ear_shells(shell, t))]
    points, normals, albedo, gloss = (np.concatenate(part) for part in zip(*(s.flat() for s in shells), strict=True))
    openness, start = _ambient_occlusion(points, normals), 0
    for s in shells:
        size = s.albedo.size
        openness[start : start + size] = _smooth(openness[start : start + size].reshape(s.albedo.shape), 5).reshape(-1)
        start += size
    return Head(points, normals, albedo, openness, gloss)
