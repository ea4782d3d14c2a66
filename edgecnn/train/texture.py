"""Detail that drawn pictures lack: rough surfaces, prints, and edges sharper or softer than a renderer leaves them.

A network that has only seen smooth clothes takes the folds, the prints and the grain of a sharp photograph for edges of
something else. What it can't rely on in training, it does not go by (domain randomisation, Tobin et al.,
arXiv 1703.06907).
"""

import cv2
import numpy as np

from edgecnn.core.results import Float32, Frame

OCTAVES = 4
ROUGHEST = 50.0
"""Standard deviation, in grey levels, of the strongest texture where it is strongest."""
SMALLEST, LARGEST = 2.0, 1 / 12
"""Half axes of shapes: from pixels to a part of the frame's height."""


def roughen(frame: Frame, rng: np.random.Generator) -> Frame:
    """Return a copy of a frame, uint8 [H, W, 3], with some of these: small shapes, textures, another sharpness."""
    frame = frame.copy()
    if rng.random() < 0.5:
        _draw_shapes(frame, rng)
    if rng.random() < 0.8:
        frame = _textured(frame, rng)
    return _resharpened(frame, rng)


def _textured(frame: Frame, rng: np.random.Generator) -> Frame:
    """Return the frame with noise of several scales, mixed anew, on patches of it."""
    height, width = frame.shape[:2]
    noise = np.zeros((height, width), np.float32)
    for octave in range(OCTAVES):
        noise += np.float32(rng.random()) * _field(max(height >> octave, 2), max(width >> octave, 2), frame, rng)
    cells = int(rng.integers(3, 24))
    patches = np.clip(_field(cells, cells, frame, rng), 0, 1)
    noise *= np.float32(rng.uniform(0, ROUGHEST) / (noise.std() + 1e-6)) * patches
    tint = rng.uniform(0.7, 1.3, 3).astype(np.float32)
    return np.clip(frame + noise[..., None] * tint, 0, 255).astype(np.uint8)


def _field(rows: int, columns: int, frame: Frame, rng: np.random.Generator) -> Float32:
    """Return normal noise of `rows` by `columns` samples, smooth between them, at the frame's size."""
    samples = rng.standard_normal((rows, columns), np.float32)
    size = (frame.shape[1], frame.shape[0])
    return np.asarray(cv2.resize(samples, size, interpolation=cv2.INTER_CUBIC), np.float32)


def _draw_shapes(frame: Frame, rng: np.random.Generator) -> None:
    """Paint a few small ellipses and rectangles, filled or in outline, on the frame itself."""
    height, width = frame.shape[:2]
    reach = np.log((SMALLEST, max(LARGEST * height, 2 * SMALLEST)))
    for _ in range(int(rng.integers(1, 12))):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        long = float(np.exp(rng.uniform(*reach)))
        axes = (long, long * rng.uniform(0.3, 1))
        angle, color = float(rng.uniform(0, 180)), rng.integers(0, 256, 3).tolist()
        thickness = -1 if rng.random() < 0.5 else int(rng.integers(1, 3))
        if rng.random() < 0.5:
            sides = (round(axes[0]), round(axes[1]))
            outline = np.asarray(cv2.ellipse2Poly(centre, sides, round(angle), 0, 360, 15), np.int32)
        else:
            outline = np.asarray(cv2.boxPoints((centre, (2 * axes[0], 2 * axes[1]), angle)), np.int32)
        if thickness < 0:
            cv2.fillPoly(frame, [outline], color, cv2.LINE_AA)
        else:
            cv2.polylines(frame, [outline], isClosed=True, color=color, thickness=thickness, lineType=cv2.LINE_AA)


def _resharpened(frame: Frame, rng: np.random.Generator) -> Frame:
    """Return every second frame sharper, every fourth softer, and the others as they are."""
    chance = rng.random()
    if chance < 0.5:
        soft, amount = cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.6, 2.0)), rng.uniform(0.3, 2.0)
        return np.asarray(cv2.addWeighted(frame, 1 + amount, soft, -amount, 0), np.uint8)
    if chance < 0.75:
        return np.asarray(cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.4, 1.5)), np.uint8)
    return frame
