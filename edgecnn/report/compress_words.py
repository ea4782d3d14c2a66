"""What the way of a compression comes to: names of its steps, channels left, and the price of a millisecond."""

from dataclasses import dataclass
from typing import Final

from edgecnn.core.compress_evidence import CompressResult, NetworkFigures
from edgecnn.core.measure import Measurement

ORIGINAL: Final = "uncompressed"


@dataclass(frozen=True, slots=True)
class Price:
    """What one step, or all, saved in ms and paid in points.

    `told_apart`: whether the intervals of the speed before and after leave no doubt that it changed.
    """

    name: str
    saved_ms: float
    paid: float
    told_apart: bool

    @property
    def per_ms(self) -> float | None:
        """Return points a millisecond; None where no time was saved, so that there is nothing to divide by."""
        return self.paid / self.saved_ms if self.told_apart and self.saved_ms > 0 else None


def step_names(way: CompressResult) -> list[str]:
    """Return how the report calls each step: its number and its name."""
    return [f"{number} {step.name}" for number, step in enumerate(way.steps, 1)]


def targets(way: CompressResult) -> list[str]:
    """Return the targets that the uncompressed network was timed in."""
    return list(way.original.latency) if way.original is not None else []


def widths(way: CompressResult) -> dict[str, tuple[int, int]]:
    """Return each group's channels before all steps and after them."""
    found: dict[str, tuple[int, int]] = {}
    for step in way.steps:
        for name, (before, after) in step.widths.items():
            found[name] = (found[name][0] if name in found else before, after)
    return found


def prices(way: CompressResult, target: str) -> list[Price]:
    """Return the price of each step's milliseconds in `target`, and of all steps together.

    A network's time is the uncompressed one's by the speedup that was timed in turn with it: between steps the machine
    drifts, within a pair it does not.
    """
    assert way.original is not None  # noqa: S101 - a way of some steps begins there
    found, before = [], way.original
    for name, step in zip(step_names(way), way.steps, strict=True):
        found.append(_price(name, way.original, before, step.result, target))
        before = step.result
    if len(found) > 1:
        found.append(_price("all steps", way.original, way.original, before, target))
    return found


def _price(name: str, original: NetworkFigures, before: NetworkFigures, after: NetworkFigures, target: str) -> Price:
    ms, one, other = original.latency[target].value, before.speedup.get(target), after.speedup.get(target)
    saved = ms / (one.value if one else 1.0) - ms / (other.value if other else 1.0)
    paid = (after.drop.value if after.drop else 0.0) - (before.drop.value if before.drop else 0.0)
    return Price(name, saved, paid, _apart(one, other))


def _apart(one: Measurement | None, other: Measurement | None) -> bool:
    (low, high), (least, most) = _bounds(one), _bounds(other)
    return high < least or most < low


def _bounds(speedup: Measurement | None) -> tuple[float, float]:
    if speedup is None:
        return 1.0, 1.0
    low, high = speedup.low, speedup.high
    return speedup.value if low is None else low, speedup.value if high is None else high
