"""What is painted where: lanes, lines and pavement of one road, in metres across it."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Paint = Literal["white", "yellow"]
Style = Literal["solid", "dashed", "double", "solid_dashed", "dots"]


@dataclass(frozen=True, slots=True)
class Line:
    """One lane line. `offset_m` is its middle, to the right of the reference line under the car."""

    offset_m: float
    style: Style
    paint: Paint
    width_m: float
    dash_m: float = 3.05
    gap_m: float = 9.14
    phase_m: float = 0.0
    wear: float = 0.0
    reflectors: bool = False
    taper_from_m: float = 1e9
    taper: float = 0.0

    def offset(self, along: Floats) -> Floats:
        """Return the offset in metres at `along`, where the line may leave the road's course (a lane that ends)."""
        return self.offset_m + self.taper * np.maximum(along - self.taper_from_m, 0.0)


@dataclass(frozen=True, slots=True)
class Layout:
    """The road's cross-section.

    Attributes:
        kind: freeway (divided), rural (two-way) or urban.
        lines: the lane lines of the car's carriageway, left to right; these are labelled.
        others: lines nobody labels: the opposite carriageway of a divided road.
        lane_m: lane width.
        left_m, right_m: where the pavement ends (negative left).
        opposite: (begin, end) of the opposite carriageway's pavement, or None.
        lanes: the lane boundaries, left to right, also those without paint.
    """

    kind: str
    lines: tuple[Line, ...]
    others: tuple[Line, ...]
    lane_m: float
    left_m: float
    right_m: float
    lanes: tuple[float, ...]
    opposite: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class _Habits:
    """What one country's painters do everywhere on a road."""

    width_m: float
    dash_m: float
    gap_m: float
    yellow: bool
    dots: bool
    reflectors: bool
    wear: float


def sample_layout(rng: np.random.Generator, *, kind: str, worn: bool) -> Layout:
    """Return a random cross-section with 1 to 5 labelled lines."""
    habits = _sample_habits(rng, worn=worn)
    if kind == "freeway":
        return _freeway(rng, habits)
    return _two_way(rng, habits, urban=kind == "urban")


def _sample_habits(rng: np.random.Generator, *, worn: bool) -> _Habits:
    dash, gap = [(3.05, 9.14), (3.05, 9.14), (3.0, 9.0), (6.0, 12.0), (6.0, 9.0), (4.0, 8.0), (3.0, 4.5), (2.0, 4.0)][
        int(rng.integers(8))
    ]
    stretch = rng.uniform(0.9, 1.15)
    return _Habits(
        width_m=float(rng.choice([0.10, 0.12, 0.15, 0.15, 0.20]) * rng.uniform(0.9, 1.15)),
        dash_m=dash * stretch,
        gap_m=gap * stretch,
        yellow=bool(rng.random() < 0.65),
        dots=bool(rng.random() < 0.06),
        reflectors=bool(rng.random() < 0.3),
        wear=float(rng.uniform(0.45, 0.8) if worn else rng.beta(1.3, 6) * 0.6),
    )


def _line(rng: np.random.Generator, habits: _Habits, offset_m: float, style: Style, paint: Paint) -> Line:
    return Line(
        offset_m=offset_m + float(rng.normal(0, 0.02)),
        style="dots" if habits.dots and style == "dashed" else style,
        paint=paint if habits.yellow else "white",
        width_m=habits.width_m * (1.25 if style == "solid" and rng.random() < 0.2 else 1.0),
        dash_m=habits.dash_m,
        gap_m=habits.gap_m,
        phase_m=float(rng.uniform(0, habits.dash_m + habits.gap_m)),
        wear=float(np.clip(habits.wear + rng.normal(0, 0.06), 0, 0.85)),
        reflectors=habits.reflectors and style != "solid",
    )


def _freeway(rng: np.random.Generator, habits: _Habits) -> Layout:
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.06, 0.34, 0.3, 0.2, 0.1]))
    own = int(rng.integers(count))
    lane = float(np.clip(rng.normal(3.65, 0.12), 3.3, 3.95))
    drift = _drift(rng, lane)
    bounds = [(i - own - 0.5) * lane - drift for i in range(count + 1)]
    lines = [_line(rng, habits, bounds[0], "solid", "yellow")]
    # Every dash of a carriageway starts at the same place or at random, never in between.
    together = rng.random() < 0.6
    for bound in bounds[1:-1]:
        line = _line(rng, habits, bound, "solid" if rng.random() < 0.06 else "dashed", "white")
        lines.append(replace(line, phase_m=lines[1].phase_m) if together and len(lines) > 1 else line)
    last = _line(rng, habits, bounds[-1], "solid", "white")
    if rng.random() < 0.1:
        last = replace(last, taper_from_m=float(rng.uniform(10, 90)), taper=float(rng.uniform(0.02, 0.06)))
    lines.append(last)
    left = bounds[0] - float(rng.uniform(0.4, 3.2))
    right = bounds[-1] + float(rng.choice([rng.uniform(0.3, 1.2), rng.uniform(2.2, 3.6)]))
    median = left - float(rng.uniform(0.6, 12))
    far = median - lane * int(rng.integers(1, 4)) - 2.5
    others = tuple(
        _line(rng, habits, median - 1.0 - i * lane, "solid" if i == 0 else "dashed", "yellow" if i == 0 else "white")
        for i in range(3)
    )
    opposite = (far, median) if rng.random() < 0.75 else None
    return Layout("freeway", tuple(lines), others if opposite else (), lane, left, right, tuple(bounds), opposite)


def _two_way(rng: np.random.Generator, habits: _Habits, *, urban: bool) -> Layout:
    each = 1 if rng.random() < (0.5 if urban else 0.85) else 2
    own = int(rng.integers(each, 2 * each))
    lane = float(np.clip(rng.normal(3.1 if urban else 3.4, 0.2), 2.7, 3.75))
    drift = _drift(rng, lane)
    bounds = [(i - own - 0.5) * lane - drift for i in range(2 * each + 1)]
    styles: list[Style] = ["double", "solid", "dashed", "solid_dashed"]
    edges = rng.random(2) < (0.6 if urban else 0.9)
    lines = []
    for i, bound in enumerate(bounds):
        if i == each:
            if rng.random() < 0.96 or not edges.all():
                style = styles[int(rng.choice(4, p=[0.4, 0.12, 0.36, 0.12]))]
                lines.append(_line(rng, habits, bound, style, "yellow"))
        elif i not in {0, 2 * each}:
            lines.append(_line(rng, habits, bound, "dashed", "white"))
        elif edges[int(i > 0)]:
            lines.append(_line(rng, habits, bound, "solid", "white"))
    left = bounds[0] - float(rng.uniform(0.1, 1.0) if not urban else rng.uniform(0.1, 2.6))
    right = bounds[-1] + float(rng.uniform(0.1, 1.5) if not urban else rng.uniform(0.1, 2.6))
    return Layout("urban" if urban else "rural", tuple(lines), (), lane, left, right, tuple(bounds))


def _drift(rng: np.random.Generator, lane_m: float) -> float:
    """The car's place in its lane, metres to the right of its middle; now and then it changes lanes."""
    if rng.random() < 0.06:
        return float(rng.uniform(-0.48, 0.48) * lane_m)
    return float(np.clip(rng.normal(0, 0.28), -0.8, 0.8))
