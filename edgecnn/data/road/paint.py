"""Everything that runs along the road as a narrow strip: painted lines, seams, cracks, with exact pixel coverage."""

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.coat import Coat, Strip
from edgecnn.data.road.ground import Ground
from edgecnn.data.road.layout import Line
from edgecnn.data.road.noise import TILE, fractal

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

COLORS = {"white": (226.0, 228.0, 226.0), "yellow": (48.0, 158.0, 214.0)}


def strip(ground: Ground, offset: Floats | float, width_m: float) -> Strip:
    """Return the pixels that a strip `width_m` wide around `offset` metres touches, and the area of each it covers."""
    middle = ground.column(offset)
    half = width_m / 2 / ground.scale
    # Where the strip moves sideways within a row, its edge sweeps over that many columns.
    sweep = np.maximum(np.abs(np.gradient(middle)), 1e-3)
    width = ground.across.shape[1]
    low = np.clip(np.floor(middle - half - sweep / 2), 0, width).astype(np.int64)
    high = np.clip(np.ceil(middle + half + sweep / 2), 0, width).astype(np.int64)
    counts = np.maximum(high - low, 0)
    rows = np.repeat(np.arange(len(counts)), counts)
    columns = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts - low, counts)
    left = columns - middle[rows]
    cover = _swept(left + 1, half[rows], sweep[rows]) - _swept(left, half[rows], sweep[rows])
    return Strip(rows, columns, cover.astype(np.float32))


def _swept(x: Floats, half: Floats, sweep: Floats) -> Floats:
    """Return the area left of `x` of a strip around 0, `2 * half` wide, whose edges sweep over `sweep` in the row."""

    def beyond(edge: Floats) -> Floats:
        # The integral of an edge's ramp from 0 to 1.
        inside = np.clip(edge + sweep / 2, 0, sweep)
        return np.asarray(inside**2 / (2 * sweep) + np.maximum(edge - sweep / 2, 0))

    return beyond(x + half) - beyond(x - half)


def dashes(ground: Ground, dash_m: float, gap_m: float, phase_m: float) -> Floats:
    """Return the share of each row's length that dashes cover, float64 [R], by integrating the pattern exactly."""
    period = dash_m + gap_m

    def laid(along: Floats) -> Floats:
        turns = np.floor(along / period)
        return turns * dash_m + np.minimum(along - turns * period, dash_m)

    begin = ground.along - ground.length / 2 + phase_m
    return np.asarray((laid(begin + ground.length) - laid(begin)) / ground.length, np.float64)


def paint_line(rng: np.random.Generator, line: Line, ground: Ground, coat: Coat) -> None:
    """Paint one lane line worn as it says."""
    color = np.array(COLORS[line.paint], np.float32) * np.float32(rng.uniform(0.86, 1.06) * (1 - 0.25 * line.wear))
    middle = line.offset(ground.along)
    for shift, width_m, along in _strokes(line, ground):
        pixels = strip(ground, middle + shift, width_m)
        if len(pixels.rows):
            share = pixels.cover * along[pixels.rows].astype(np.float32)
            coat.blend(pixels, share * _kept(rng, line, ground, pixels), color)
    if line.reflectors:
        spot = dashes(ground, 0.1, line.dash_m + line.gap_m - 0.1, line.phase_m - line.dash_m - line.gap_m / 2)
        pixels = strip(ground, middle, 0.11)
        coat.blend(pixels, pixels.cover * spot[pixels.rows].astype(np.float32), (235.0, 238.0, 240.0))


def _strokes(line: Line, ground: Ground) -> list[tuple[float, float, Floats]]:
    """Return (shift in metres, width in metres, covered share by row) of each stroke of the line."""
    whole = np.ones(len(ground.along))
    dashed = dashes(ground, line.dash_m, line.gap_m, line.phase_m)
    half = line.width_m
    if line.style == "double":
        return [(-half, line.width_m, whole), (half, line.width_m, whole)]
    if line.style == "solid_dashed":
        return [(-half, line.width_m, dashed), (half, line.width_m, whole)]
    if line.style == "dots":
        # Four round ceramic dots make a dash, an arm's length apart.
        period = line.dash_m + line.gap_m
        dots = [dashes(ground, 0.1, period - 0.1, line.phase_m - i * 1.0) for i in range(4)]
        return [(0.0, 0.1, np.minimum(sum(dots, np.zeros(len(whole))), 1))]
    return [(0.0, line.width_m, whole if line.style == "solid" else dashed)]


def _kept(rng: np.random.Generator, line: Line, ground: Ground, pixels: Strip) -> Float32:
    """Return how much paint is left at each pixel: chipped at the scale of stones, worn away over metres."""
    fine = fractal(int(rng.integers(3)), 0.8)
    patches = fractal(int(rng.integers(6, 9)), 1.1)
    across = (ground.across[pixels.rows, pixels.columns] * 45).astype(np.int64)
    along = ground.along[pixels.rows]
    shift = int(rng.integers(TILE))
    chips = fine[(along * 20).astype(np.int64) % TILE, (across + shift) % TILE]
    metres = patches[(along * 1.5 + shift).astype(np.int64) % TILE, (across // 12) % TILE]
    level = (0.62 * chips + 0.78 * metres) - (1.9 - 3.6 * line.wear)
    gone = 1 / (1 + np.exp(np.clip(-4.0 * level, -30, 30)))
    return np.asarray(1 - gone * (0.55 + 0.45 * line.wear), np.float32)
