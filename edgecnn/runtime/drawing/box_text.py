"""Text beside boxes: each where it covers no other, shorter where there is no room, none where there is none at all."""

from typing import Any, Final, NamedTuple, final

import cv2
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.runtime.drawing.canvas import FONT, Colour, darken

# Below this the stroke font can't be read, however small the frame.
_LEAST_SCALE: Final = 0.3
# A name is written where text is not much wider than its box, else the score alone.
_ROOM: Final = 1.3


class _Wish(NamedTuple):
    box: NDArray[Any]
    name: str
    score: str
    colour: Colour


class _Place(NamedTuple):
    x: int
    y: int
    width: int
    height: int

    def meets(self, other: "_Place") -> bool:
        """Return whether two plates share a pixel."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


@final
class BoxText:
    """Collects the texts of a frame and writes them last, so that no box lies over one."""

    def __init__(self, canvas: Frame, unit: float) -> None:
        self._canvas = canvas
        self._scale = max(0.36 * unit, _LEAST_SCALE)
        self._thickness = max(1, round(0.7 * unit))
        self._wishes: list[_Wish] = []

    def add(self, box: NDArray[Any], name: str, score: str, colour: Colour) -> None:
        """Ask for a text at `box` (x1, y1, x2, y2); the later has the better right to its place."""
        self._wishes.append(_Wish(box, name, score, colour))

    def write(self) -> None:
        """Write what there is room for."""
        taken: list[_Place] = []
        for wish in reversed(self._wishes):
            chosen = self._place(wish, taken)
            if chosen is not None:
                place, text = chosen
                taken.append(place)
                self._write(place, text, wish.colour)

    def _place(self, wish: _Wish, taken: list[_Place]) -> tuple[_Place, str] | None:
        """Return where a text goes and what it says: above its box, in it or below it, the whole or the score alone."""
        height, width = self._canvas.shape[:2]
        left, top, right, bottom = (float(side) for side in wish.box)
        if right <= 0 or bottom <= 0 or left >= width or top >= height:
            return None
        full = f"{wish.name} {wish.score}".strip()
        for text in (full, wish.score):
            wide, high = self._size(text)
            if not text or (text == full and wish.score and wide > _ROOM * max(right - left, 1)):
                continue
            x = round(min(max(left, 0), max(width - wide, 0)))
            for y in (round(top) - high, round(max(top, 0)), round(bottom)):
                place = _Place(x, y, wide, high)
                if 0 <= y <= height - high and not any(place.meets(other) for other in taken):
                    return place, text
        return None

    def _size(self, text: str) -> tuple[int, int]:
        (width, height), baseline = cv2.getTextSize(text, FONT, self._scale, self._thickness)
        return width + 4, height + baseline

    def _write(self, place: _Place, text: str, colour: Colour) -> None:
        darken(self._canvas, *place)
        _, baseline = cv2.getTextSize(text, FONT, self._scale, self._thickness)
        origin = (place.x + 2, place.y + place.height - (baseline + 1) // 2 - 1)
        cv2.putText(self._canvas, text, origin, FONT, self._scale, colour, self._thickness, cv2.LINE_AA)


def summary(canvas: Frame, words: list[tuple[str, Colour]], unit: float) -> None:
    """Write coloured words side by side in the bottom-left corner."""
    scale, thickness, gap = max(0.4 * unit, _LEAST_SCALE), max(1, round(0.8 * unit)), round(6 * unit)
    sizes = [cv2.getTextSize(text, FONT, scale, thickness) for text, _ in words]
    height = max(high + baseline for (_, high), baseline in sizes)
    width = sum(wide + gap for (wide, _), _ in sizes) + gap
    top = canvas.shape[0] - height - 2 * gap
    darken(canvas, gap, top, min(width, canvas.shape[1] - 2 * gap), height + gap)
    x = 2 * gap
    for (text, colour), ((wide, _), baseline) in zip(words, sizes, strict=True):
        cv2.putText(canvas, text, (x, top + gap // 2 + height - baseline), FONT, scale, colour, thickness, cv2.LINE_AA)
        x += wide + gap
