"""Lines of text in the machine's fonts, for networks that read: what stands on them is known."""

import string
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FOLDER, PATTERNS = Path("/usr/share/fonts"), ("*.ttf", "*.otf")
NO_LETTERS = ("symbol", "dingbat", "emoji", "d050", "math", "z003", "s050")
"""Parts of the names of fonts that hold pictures, or ornaments that nobody reads."""
LETTERS = "etaoinshrdlcumwfgypbvkjxqz"
COMMON = np.linspace(1.0, 0.1, len(LETTERS)) ** 1.5
"""How often letters come, about as in English."""
CONTRAST = 60
MOST_TRIES = 100


class Line(NamedTuple):
    """A picture, uint8 [H, W, 3] in BGR order, and what stands on it."""

    picture: NDArray[np.uint8]
    text: str


def fonts() -> list[str]:
    """Return the machine's fonts with letters, sorted; a machine without any can't draw text."""
    found = sorted(str(path) for pattern in PATTERNS for path in FOLDER.rglob(pattern))
    legible = [path for path in found if not any(part in path.lower() for part in NO_LETTERS)]
    if not legible:
        raise SystemExit(f"no TrueType or OpenType fonts below {FOLDER}; install some (Debian: fonts-dejavu)")
    return legible


def line(rng: np.random.Generator, known: list[str]) -> Line:
    """Draw one line in one of the fonts `known`, on a shaded ground, a little skewed, blurred and noisy."""
    text, font = _text(rng), ImageFont.truetype(known[rng.integers(len(known))], int(rng.integers(14, 44)))
    left, top, right, bottom = (int(side) for side in font.getbbox(text))
    margin = int(rng.integers(1, 8))
    ground, ink = _colors(rng)
    width, height = max(8, right - left) + 2 * margin, max(8, bottom - top) + 2 * margin
    canvas = Image.new("RGB", (width, height), ground)
    ImageDraw.Draw(canvas).text((margin - left, margin - top), text, font=font, fill=ink)
    return Line(_photographed(np.asarray(canvas)[..., ::-1].astype(np.float32), rng), text)


def as_input(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    """Return a picture as float32 [3, height, width] from -1 to 1, its shape kept, grey to its right."""
    taken = min(width, int(np.ceil(height * picture.shape[1] / picture.shape[0])))
    found = np.zeros((3, height, width), np.float32)
    found[:, :, :taken] = (cv2.resize(picture, (taken, height)).astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)
    return found


def _text(rng: np.random.Generator) -> str:
    if rng.random() < 0.2:
        return "".join(rng.choice(list(string.digits + "-./:"), rng.integers(4, 11)))
    return " ".join(_word(rng) for _ in range(rng.integers(1, 3)))


def _word(rng: np.random.Generator) -> str:
    word = "".join(rng.choice(list(LETTERS), rng.integers(2, 9), p=COMMON / COMMON.sum()))
    kind = rng.random()
    return word.upper() if kind < 0.2 else word.title() if kind < 0.5 else word


def _colors(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return two colours that can be told apart."""
    ground = rng.integers(0, 256, 3)
    for _ in range(MOST_TRIES):
        ink = rng.integers(0, 256, 3)
        if abs(int(ground.mean()) - int(ink.mean())) >= CONTRAST:
            return tuple(ground.tolist()), tuple(ink.tolist())
    return (255, 255, 255), (0, 0, 0)


def _photographed(clean: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = clean.shape[:2]
    across, down = (np.linspace(-1, 1, size) * rng.normal(0, 15) for size in (width, height))
    shaded = clean + across[None, :, None] + down[:, None, None]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.normal(0, 0.025, (4, 2)).astype(np.float32) * height
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    seen = cv2.warpPerspective(shaded.astype(np.float32), matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.5:
        seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.4, 0.8))
    seen = seen + rng.normal(0, rng.uniform(0, 9), seen.shape)
    if rng.random() < 0.4:
        scale = rng.uniform(0.5, 0.9)
        small = cv2.resize(seen, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        seen = cv2.resize(small, (width, height))
    return np.clip(seen, 0, 255).astype(np.uint8)
