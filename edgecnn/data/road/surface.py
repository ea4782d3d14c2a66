"""What the ground is made of: asphalt or concrete lanes, tyre tracks, shoulders, grass, from a cross-section table."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.coat import Coat
from edgecnn.data.road.ground import Ground
from edgecnn.data.road.layout import Layout
from edgecnn.data.road.noise import TILE, tile, wave

Float32 = NDArray[np.float32]

_REACH_M = 60.0
_STEP_M = 0.025


@dataclass(frozen=True, slots=True)
class Surface:
    """Albedo across the road.

    Attributes:
        table: uint8 [N, 4]: BGR and 64 times the strength of the texture, from -60 m to 60 m every 2.5 cm.
        seam_m: along the road, where a second pavement begins; infinite for none.
        beyond: the second pavement's table.
        mottle, grain: strength of the texture in patches and in stones, as a share of the albedo.
        left_m, right_m: where the pavement ends.
    """

    table: Frame
    beyond: Frame
    seam_m: float
    mottle: float
    grain: float
    left_m: float
    right_m: float


def sample_surface(rng: np.random.Generator, layout: Layout) -> Surface:
    """Return a random pavement between random verges."""
    verges = _verges(rng)
    table = _table(rng, layout, verges)
    seam = float(rng.uniform(3, 60)) if rng.random() < 0.15 else float("inf")
    beyond = _table(rng, layout, verges) if np.isfinite(seam) else table
    return Surface(
        table,
        beyond,
        seam,
        float(rng.uniform(0.015, 0.08)),
        float(0.015 + 0.1 * rng.beta(1.2, 2.2)),
        layout.left_m,
        layout.right_m,
    )


def paint_surface(rng: np.random.Generator, surface: Surface, ground: Ground) -> Coat:
    """Return the bare ground."""
    shift = (float(rng.uniform(0, TILE)), float(rng.uniform(0, TILE)))
    variant = int(rng.integers(3))
    coarse = ground.texture(tile(variant, 1.25, 4.0), 0.12, 0.35, shift, every=2)
    across = ground.across + _ragged(surface, ground, coarse)
    index = ((across + _REACH_M) * (1 / _STEP_M)).astype(np.int32)
    np.clip(index, 0, len(surface.table) - 1, out=index)
    split = int(np.searchsorted(-ground.along, -surface.seam_m))
    # Four bytes are one word to the lookup.
    words = np.empty(index.shape, np.uint32)
    np.take(surface.beyond.view(np.uint32)[:, 0], index[:split], out=words[:split])
    np.take(surface.table.view(np.uint32)[:, 0], index[split:], out=words[split:])
    albedo = words.view(np.uint8).reshape(*index.shape, 4)
    fine = ground.texture(tile(3 + variant, 0.45), 0.018, 0.03, shift[::-1])
    wide = ground.texture(tile(6 + variant, 1.1, 8.0), 0.5, 1.6, shift, every=4)
    fine *= np.float32(surface.grain / 64)
    fine += np.float32(surface.mottle / 64) * coarse + np.float32(0.6 * surface.mottle / 64) * wide
    tone = 1 + albedo[..., 3] * fine
    return Coat(albedo, np.maximum(tone, np.float32(0.15), out=tone))


def _ragged(surface: Surface, ground: Ground, coarse: Float32) -> Float32:
    """Move the verge's edge about by some centimetres; the pavement itself stays straight."""
    outside = np.maximum(ground.across - surface.right_m, surface.left_m - ground.across)
    return np.asarray(np.clip(outside + 0.35, 0, 0.5) * coarse * 0.4, np.float32)


def _verges(rng: np.random.Generator) -> list[tuple[NDArray[np.float64], float]]:
    """Return (BGR, texture strength) of the soft shoulder, the verge and the land beyond."""
    dry = np.array([105, 150, 182]) * rng.uniform(0.75, 1.1)
    green = np.array([48, 96, 82]) * rng.uniform(0.7, 1.25)
    dirt = np.array([105, 125, 142]) * rng.uniform(0.7, 1.1)
    gravel = np.array([128, 132, 136]) * rng.uniform(0.7, 1.15)
    choices = [dry, green, dirt, gravel]
    soft = choices[int(rng.choice(4, p=[0.2, 0.2, 0.3, 0.3]))]
    verge = choices[int(rng.choice(4, p=[0.42, 0.38, 0.12, 0.08]))]
    land = choices[int(rng.choice(4, p=[0.45, 0.45, 0.1, 0.0]))]
    return [(soft, 1.6), (verge, 2.6), (land, 2.4)]


def _table(rng: np.random.Generator, layout: Layout, verges: list[tuple[NDArray[np.float64], float]]) -> Frame:
    table = np.empty((2 * table_index(0.0), 4), np.float32)
    soft_m = rng.uniform(0.0, 1.6, 2)
    for (color, rough), margin in zip(reversed(verges), (_REACH_M, rng.uniform(4, 14), 0.0), strict=True):
        begin, end = layout.left_m - soft_m[0] - margin, layout.right_m + soft_m[1] + margin
        table[table_index(begin) : table_index(end)] = [*color, rough]
    _pave(rng, table, layout.left_m, layout.right_m, layout.lanes)
    if layout.opposite:
        _pave(rng, table, *layout.opposite, (layout.opposite[0] + 1, layout.opposite[1] - 1))
    table[:, 3] *= 64
    return np.asarray(np.clip(cv2.GaussianBlur(table, (1, 5), 0.9), 0, 255), np.uint8)


def table_index(across_m: float) -> int:
    """Return the table's row for a place across the road."""
    return round((min(max(across_m, -_REACH_M), _REACH_M) + _REACH_M) / _STEP_M)


def _pave(
    rng: np.random.Generator, table: NDArray[np.float32], begin: float, end: float, bounds: tuple[float, ...]
) -> None:
    """Lay pavement with its own tone a lane, polished tyre tracks and an oil stripe, into `table`."""
    first, last = table_index(begin), table_index(end)
    at = np.arange(first, last) * _STEP_M - _REACH_M
    concrete = rng.random() < 0.22
    base = rng.uniform(128, 190) if concrete else rng.uniform(58, 135)
    tint = np.array([0.93, 0.99, 1.03]) if concrete else np.array([1.05, 1.0, 0.98]) + rng.normal(0, 0.025, 3)
    tone = 1 + 0.03 * wave(rng, len(at) // 8 + 1, 1.2).repeat(8)[: len(at)].astype(np.float64)
    for left, right in pairwise(bounds):
        # Lanes are paved one by one, and the joint seldom lies exactly under the paint.
        slip = rng.normal(0, 0.12, 2)
        lane = (at > left + slip[0]) & (at < right + slip[1])
        tone[lane] *= 1 + rng.normal(0, 0.05) + (rng.normal(0, 0.16) if rng.random() < 0.12 else 0)
        middle = at - (left + right) / 2
        track = np.exp(-(((np.abs(middle) - 0.85) / 0.33) ** 2))
        oil = np.exp(-((middle / 0.45) ** 2))
        tone *= 1 + rng.normal(-0.01, 0.05) * track - abs(rng.normal(0, 0.05)) * oil
    tone[(at < bounds[0] - 0.25) | (at > bounds[-1] + 0.25)] *= 1 + rng.normal(0.0, 0.1)
    table[first:last, :3] = base * tone[:, None] * tint
    table[first:last, 3] = 0.7 if concrete else 1.0
