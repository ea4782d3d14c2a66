"""Single trees and bushes: pictures with opacity, grown once a process, set into scenes as flat cards."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.noise import fractal
from edgecnn.data.road.view import View

Float32 = NDArray[np.float32]

SPECIES = 24
_SIDE = 192


@lru_cache(maxsize=SPECIES)
def tree(variant: int) -> tuple[Frame, ...]:
    """Return one tree at falling sizes: uint8 [S, S, 4], BGR albedo premultiplied by opacity, and opacity.

    A crown is a heap of round clumps broken up by noise; each clump is bright above and dark below.
    """
    rng = np.random.default_rng([variant, 11])
    kind = variant % 4
    y, x = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32) / _SIDE
    field, light = np.full((_SIDE, _SIDE), -1.0, np.float32), np.zeros((_SIDE, _SIDE), np.float32)
    for centre_x, centre_y, radius in _clumps(rng, kind):
        near = 1 - np.hypot((x - centre_x), (y - centre_y) * 1.15) / radius
        light = np.where(near > field, (centre_y - y) / radius * 0.5 + 0.15 * rng.normal(), light)
        field = np.maximum(field, near)
    coarse, fine = fractal(variant % 6, 1.1)[:_SIDE, :_SIDE], fractal(3 + variant % 3, 0.5)[:_SIDE, :_SIDE]
    alpha = np.clip((field + 0.22 * coarse + 0.10 * fine - 0.02) * 9, 0, 1)
    trunk = (np.abs(x - 0.5 + 0.02 * coarse) < 0.012 + 0.01 * y) & (y > 0.5)
    base = np.array(((44, 80, 66), (46, 74, 62), (38, 58, 44), (62, 104, 98))[kind], np.float32)
    bright = np.clip(0.85 + 0.55 * light + 0.22 * fine + 0.16 * coarse - 0.25 * (y - 0.5), 0.15, 1.9)
    color = base * bright[..., None]
    whole = np.concatenate([color * alpha[..., None], alpha[..., None]], axis=2)
    bark = np.where((trunk & (alpha < 0.5))[..., None], np.array([52, 62, 74, 1], np.float32), whole)
    scaled = bark * np.array([1, 1, 1, 255], np.float32) + 0.5
    sizes = [np.asarray(np.clip(scaled, 0, 255), np.uint8)]
    while sizes[-1].shape[0] > 12:
        sizes.append(np.asarray(cv2.resize(sizes[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8))
    return tuple(sizes)


def _clumps(rng: np.random.Generator, kind: int) -> list[tuple[float, float, float]]:
    """Return (x, y, radius) in shares of the picture's side, back to front."""
    if kind == 2:
        # A conifer: tiers that widen downward.
        tiers = np.linspace(0.08, 0.9, 26)
        return [(0.5 + rng.normal(0, 0.1 * t), t, 0.05 + 0.13 * t * rng.uniform(0.5, 1.2)) for t in tiers]
    if kind == 3:
        # A bush: wide and low.
        return [(rng.uniform(0.15, 0.85), rng.uniform(0.65, 0.95), rng.uniform(0.12, 0.25)) for _ in range(14)]
    tall = rng.uniform(0.3, 0.42)
    turns = rng.uniform(0, 2 * np.pi, 22)
    far = np.sqrt(rng.uniform(0, 1, 22))
    return [
        (0.5 + 0.33 * f * np.cos(t), 0.42 + tall * 0.8 * f * np.sin(t), rng.uniform(0.1, 0.2))
        for t, f in zip(turns, far, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree at a place on the road; `size_m` is its height without the `trunk_m` that was pruned bare."""

    variant: int
    along: float
    offset: float
    size_m: float
    flip: bool
    trunk_m: float = 0.0


def set_tree(view: View, picture: Frame, item: Tree) -> None:
    """Set one tree into the picture, in place."""
    along, offset, size_m = item.along, item.offset, item.size_m
    u, v, depth = (float(value[0]) for value in view.project(np.array([along]), offset, 0.0))
    side = size_m * view.camera.focal_px / max(depth, 0.5)
    if depth < 1 or side < 2 or side > 3 * view.camera.height:
        return
    sizes = tree(item.variant)
    level = min(len(sizes) - 1, max(0, int(np.log2(_SIDE / side))))
    limit = view.limit(along)
    if item.trunk_m:
        foot, v = v, v - item.trunk_m * side / size_m
        _trunk(view, picture[: max(limit, 1)], (u, v - 0.3 * side, foot), 0.02 * side, depth)
    left, top = int(u - side / 2), int(v - side)
    x0, x1 = max(0, left), min(picture.shape[1], int(left + side))
    y0, y1 = max(0, top), min(limit, picture.shape[0], int(top + side))
    if x1 <= x0 or y1 <= y0:
        return
    scale = sizes[level].shape[0] / side
    start = (x0 - left) * scale
    mirror = sizes[level].shape[0] - 1 - start
    place = np.array(
        [[-scale if item.flip else scale, 0, mirror if item.flip else start], [0, scale, (y0 - top) * scale]]
    )
    card = cv2.warpAffine(
        sizes[level], place, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )  # fmt: skip
    alpha = card[..., 3:] * np.float32(1 / 255)
    seen = np.float32(np.exp(-depth / view.light.haze_m))
    lamps = np.float32(view.light.headlights * np.exp(-((depth / 38.0) ** 2)) * 0.6)
    color = card[..., :3] * ((view.light.ambient + lamps) * seen) + alpha * (view.light.haze * (1 - seen))
    area = picture[y0:y1, x0:x1]
    area[...] = np.clip(area * (1 - alpha) + color, 0, 255)


def _trunk(view: View, picture: Frame, place: tuple[float, float, float], half: float, depth: float) -> None:
    """Fill a bare trunk between two rows: `place` is its column, upper and lower row."""
    u, top, foot = place
    bark = view.lit(np.array([58, 68, 78], np.float32), depth, 0.8).tolist()
    left, right = round(u - half), max(round(u + half), round(u - half) + 1)
    cv2.rectangle(picture, (left, round(top)), (right, round(foot)), bark, -1)
    cv2.rectangle(picture, (left, round(top)), ((left + right) // 2, round(foot)), [c * 0.8 for c in bark], -1)
