"""What lies on a road and is no lane line: seams, cracks, joints, patches, tyre marks, arrows, words, stripes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.coat import Coat
from edgecnn.data.road.ground import Ground
from edgecnn.data.road.layout import Layout
from edgecnn.data.road.noise import TILE, fractal, wave
from edgecnn.data.road.paint import COLORS, strip

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

_TAR = (34.0, 33.0, 32.0)
_GLYPH_M = 0.03


def mark_pavement(rng: np.random.Generator, layout: Layout, ground: Ground, coat: Coat) -> None:
    """Draw seams, cracks, joints, patches and tyre marks under the paint."""
    if rng.random() < 0.4:
        _joints(rng, layout, ground, coat)
    if rng.random() < 0.3:
        _patches(rng, layout, ground, coat)
    for bound in layout.lanes:
        if rng.random() < 0.35:
            seam = bound + rng.normal(0, 0.25)
            wander = 0.04 * _wander(rng, ground, 3.0)
            _line(ground, coat, seam + wander, float(rng.uniform(0.012, 0.06)), _TAR, rng.uniform(0.3, 0.95), rng)
    for _ in range(int(rng.integers(0, 7)) if rng.random() < 0.45 else 0):
        at = rng.uniform(layout.left_m, layout.right_m) + 0.35 * _wander(rng, ground, 6.0)
        dark = _TAR if rng.random() < 0.7 else (170.0, 172.0, 172.0)
        _line(ground, coat, at, float(rng.uniform(0.008, 0.05)), dark, rng.uniform(0.3, 0.9), rng)
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.3 else 0):
        at = rng.uniform(layout.left_m, layout.right_m) + 0.25 * _wander(rng, ground, 60.0)
        for wheel in (0.0, 1.5):
            _line(
                ground,
                coat,
                at + wheel,
                float(rng.uniform(0.12, 0.25)),
                (30.0, 29.0, 28.0),
                rng.uniform(0.1, 0.45),
                rng,
            )


def paint_symbols(rng: np.random.Generator, layout: Layout, ground: Ground, coat: Coat) -> None:
    """Paint what is no lane line: arrows, words, crossings, stripes of a gore or a closed shoulder."""
    rate = {"freeway": 0.12, "rural": 0.14, "urban": 0.6}[layout.kind]
    if rng.random() < rate:
        for left, right in zip(layout.lanes[:-1], layout.lanes[1:], strict=True):
            if rng.random() < 0.6:
                glyph = _glyph(int(rng.integers(6)))
                _stamp(
                    rng, ground, coat, glyph, (left + right) / 2, float(rng.uniform(5, 45)), 2.4 * rng.uniform(0.8, 1.3)
                )
    if layout.kind == "urban" and rng.random() < 0.35:
        _zebra(rng, layout, ground, coat)
    if rng.random() < 0.08:
        _hatch(rng, layout, ground, coat)


def _wander(rng: np.random.Generator, ground: Ground, scale_m: float) -> Floats:
    """A random sideways drift along the road, deviation 1, with detail from `scale_m` up."""
    row = fractal(int(rng.integers(6)), 1.2)[int(rng.integers(TILE))]
    return np.asarray(np.interp(ground.along / scale_m * 4 % TILE, np.arange(TILE), row), np.float64)


def _line(
    ground: Ground, coat: Coat, offset: Floats, width_m: float, color: tuple[float, ...], strength: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """A strip that begins and ends somewhere."""
    pixels = strip(ground, offset, width_m)
    begin, length = rng.uniform(-20, 40), rng.exponential(60)
    within = np.clip(ground.along - begin, 0, 1) * np.clip(begin + length - ground.along, 0, 1)
    coat.blend(pixels, pixels.cover * (within[pixels.rows] * strength).astype(np.float32), color)


def _joints(rng: np.random.Generator, layout: Layout, ground: Ground, coat: Coat) -> None:
    """Transverse joints or sealed cracks across the lanes, regular or here and there."""
    regular = rng.random() < 0.4
    gap = float(rng.uniform(4, 7)) if regular else float(rng.uniform(8, 40))
    places = np.arange(rng.uniform(2, 2 + gap), 70, gap)
    if not regular:
        places = places + rng.normal(0, gap / 3, len(places))
    wide = float(rng.uniform(0.015, 0.06))
    tone = np.float32(rng.uniform(0.35, 0.8) if rng.random() < 0.75 else rng.uniform(1.15, 1.4))
    across = np.clip((ground.across - layout.left_m) * 8, 0, 1) * np.clip((layout.right_m - ground.across) * 8, 0, 1)
    bend = 0.03 * wave(rng, ground.across.shape[1], 1.2)
    for place in places:
        near = np.abs(ground.along - place) < ground.length + 0.5
        if not near.any():
            continue
        rows = np.flatnonzero(near)
        offset = ground.along[rows, None] - place - bend[None, :]
        length = ground.length[rows, None]
        cover = np.clip((wide / 2 - np.abs(offset)) / length + 0.5, 0, 1) * np.minimum(1, wide / length)
        coat.tone[rows] *= 1 - (1 - tone) * cover.astype(np.float32) * across[rows]


def _patches(rng: np.random.Generator, layout: Layout, ground: Ground, coat: Coat) -> None:
    """Rectangles of newer or older pavement."""
    for _ in range(int(rng.integers(1, 4))):
        begin, length = float(rng.uniform(2, 50)), float(rng.uniform(2, 25))
        left = float(rng.uniform(layout.left_m, layout.right_m - 1))
        wide = float(rng.uniform(0.8, 4))
        rows = np.clip((ground.along - begin) / ground.length + 0.5, 0, 1) * np.clip(
            (begin + length - ground.along) / ground.length + 0.5, 0, 1
        )
        touched = np.flatnonzero(rows > 0)
        pixel = ground.scale[touched, None].astype(np.float32)
        across = ground.across[touched]
        cover = np.clip((across - left) / pixel + 0.5, 0, 1) * np.clip((left + wide - across) / pixel + 0.5, 0, 1)
        cover *= rows[touched, None].astype(np.float32)
        coat.tone[touched] *= 1 + np.float32(rng.normal(-0.1, 0.17)) * cover


def _glyph(kind: int) -> Float32:
    """Return a road symbol seen from above, float32 [200, 80] in 0..1, 3 cm a pixel, its foot at the last row."""
    image = np.zeros((200, 80), np.uint8)
    if kind < 3:
        cv2.rectangle(image, (37, 60), (43, 199), 255, -1)
        if kind in {0, 2}:
            cv2.fillConvexPoly(image, np.array([[40, 0], [24, 66], [56, 66]]), 255)
        if kind in {1, 2}:
            cv2.rectangle(image, (43, 110), (58, 122), 255, -1)
            cv2.fillConvexPoly(image, np.array([[56, 84], [56, 148], [79, 116]]), 255)
    else:
        word = ("STOP", "SLOW", "BUS", "ONLY")[kind % 4]
        small = np.zeros((40, 110), np.uint8)
        cv2.putText(small, word, (4, 32), cv2.FONT_HERSHEY_SIMPLEX, 1.15, 255, 5)
        image = np.asarray(cv2.resize(small, (80, 200), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(image / 255, np.float32)


def _stamp(
    rng: np.random.Generator, ground: Ground, coat: Coat, glyph: Float32, offset: float, along: float, wide_m: float
) -> None:
    """Lay a symbol on the road in true perspective, worn."""
    long_m = wide_m * glyph.shape[0] / glyph.shape[1] * rng.uniform(0.8, 1.3)
    rows = np.flatnonzero((ground.along > along - 1) & (ground.along < along + long_m + 1))
    if not len(rows):
        return
    map_x = ((ground.across[rows] - offset) / wide_m + 0.5) * glyph.shape[1]
    down = (1 - (ground.along[rows, None] - along) / long_m) * glyph.shape[0]
    map_y = np.broadcast_to(down.astype(np.float32), map_x.shape)
    cover = cv2.remap(glyph, map_x.astype(np.float32), np.ascontiguousarray(map_y), cv2.INTER_LINEAR)
    coat.blend_rows(rows, cover * np.float32(rng.uniform(0.35, 0.9)), COLORS["white"])


def _zebra(rng: np.random.Generator, layout: Layout, ground: Ground, coat: Coat) -> None:
    """A pedestrian crossing or a stop bar."""
    begin = float(rng.uniform(6, 40))
    deep = float(rng.uniform(2.5, 4)) if rng.random() < 0.6 else 0.4
    rows = np.clip((ground.along - begin) / ground.length + 0.5, 0, 1) * np.clip(
        (begin + deep - ground.along) / ground.length + 0.5, 0, 1
    )
    touched = np.flatnonzero(rows > 0)
    across = ground.across[touched]
    inside = (across > layout.lanes[0]) & (across < layout.lanes[-1])
    bars = ((across % 1.0) < 0.5) | (deep < 1)
    cover = (inside & bars) * rows[touched, None] * rng.uniform(0.5, 0.95)
    coat.blend_rows(touched, cover.astype(np.float32), COLORS["white"])


def _hatch(rng: np.random.Generator, layout: Layout, ground: Ground, coat: Coat) -> None:
    """Slanted stripes between the outermost line and the pavement's edge, as before an exit's nose."""
    right = rng.random() < 0.7
    inner, outer = (layout.lanes[-1], layout.right_m) if right else (layout.lanes[0], layout.left_m)
    begin, length = float(rng.uniform(0, 40)), float(rng.uniform(10, 60))
    rows = np.flatnonzero((ground.along > begin) & (ground.along < begin + length))
    across, pixel = ground.across[rows], ground.scale[rows, None].astype(np.float32)
    low, high = min(inner, outer) + 0.25, max(inner, outer) - 0.1
    inside = np.clip((across - low) / pixel + 0.5, 0, 1) * np.clip((high - across) / pixel + 0.5, 0, 1)
    period, wide, slant = float(rng.uniform(3, 7)), float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.6, 1.6))
    place = (ground.along[rows, None].astype(np.float32) + across * (-slant if right else slant)) % period
    blur = np.maximum(ground.length[rows, None].astype(np.float32), 0.02)
    stripe = np.clip((wide / 2 - np.abs(place - period / 2)) / blur + 0.5, 0, 1) * np.minimum(1, wide / blur)
    paint = COLORS["white"] if rng.random() < 0.7 else COLORS["yellow"]
    coat.blend_rows(rows, inside * stripe * np.float32(rng.uniform(0.4, 0.95)), paint)
