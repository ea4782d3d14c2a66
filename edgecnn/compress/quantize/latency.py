"""What INT8 saves in each unit, and what every change between INT8 and float costs, in the target engine's own time.

A layer's time can't be read off by itself: engines fuse, and a change of number format moves tensors. So whole networks
are timed, with random runs of units in float, each in turn with the float one, and a linear model is fitted to the
times: one saving a unit and one price a number that crosses between the formats. Runs, because that is what a sensible
assignment looks like. Where the engine does not run here the savings are predicted from counts, and called so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.compress.quantize.units import FLOAT_BYTES, MACS_A_BYTE, Units
from edgecnn.core.progress import bar

Choice: TypeAlias = NDArray[np.bool_]
"""Which units run in INT8, [units]."""

PREDICTED_GAIN = 2.0
"""How much faster than float16 or float32 an engine multiplies INT8, where nothing was measured."""
PRIOR_SPREAD = 1.0
"""How far a unit's saving may lie from its share of the work before the fit resists, as a share of the former."""
LEAST_NOISE = 0.005
"""Standard deviation that a timed network has at least, as a share of the whole time."""
FLOAT_RUNS = 4


@dataclass(frozen=True, slots=True)
class Timed:
    """A network's time as a share of the float network's, and the standard deviation of that."""

    share: float
    deviation: float = 0.0


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """Time of any assignment, relative to the all-float network's.

    Attributes:
        savings: what INT8 saves in each unit, [units]; negative where it costs.
        crossing: price of one number that passes from one format to the other.
        units: the units.
        how: `measured` on the engine, or `predicted` from counts.
        trials: timed networks.
        error: root mean square of what the fit left, as a share of the float network's time.
    """

    savings: NDArray[np.float64]
    crossing: float
    units: Units
    how: Literal["measured", "predicted"]
    trials: int = 0
    error: float = 0.0

    def time(self, choice: Choice) -> float:
        """Return the predicted time of an assignment; 1 is all float."""
        return float(1 - self.savings[choice].sum() + self.crossing * crossed(self.units, choice))


def crossed(units: Units, choice: Choice) -> float:
    """Return how many numbers pass between INT8 and float."""
    return float(sum(flow.elements for flow in units.flows if flow.crosses(choice)))


def predict_latency(units: Units) -> LatencyModel:
    """Return a model from counts alone: multiply-adds `PREDICTED_GAIN` times as fast, traffic a quarter."""
    work, count = units.work(), np.asarray(units.macs, np.float64)
    moved = work - count
    total = max(work.sum(), 1.0)
    savings = (count * (1 - 1 / PREDICTED_GAIN) + moved * (1 - 1 / FLOAT_BYTES)) / total
    return LatencyModel(savings, (FLOAT_BYTES + 1) * MACS_A_BYTE / total, units, "predicted")


def measure_latency(
    units: Units, time_of: Callable[[Choice], Timed], budget: Callable[[], bool], most_trials: int, seed: int = 0
) -> LatencyModel:
    """Fit a model to timed assignments.

    Args:
        units: the units.
        time_of: times an assignment, in turn with the float network.
        budget: whether there is time for another one.
        most_trials: the most assignments timed.
        seed: of the assignments drawn.
    """
    rng = np.random.default_rng(seed)
    count = len(units.names)
    everything = np.ones(count, np.bool_)
    choices = [everything]
    taken = [time_of(everything)]
    with bar("time layers", most_trials) as shown:
        while len(taken) < most_trials and budget():
            choices.append(_draw(count, rng))
            taken.append(time_of(choices[-1]))
            shown.advance()
    return _fit(units, np.asarray(choices), taken)


def _draw(count: int, rng: np.random.Generator) -> Choice:
    """Return all INT8 but for a few runs in float, or now and then the reverse."""
    choice = np.ones(count, np.bool_)
    for _ in range(int(rng.integers(1, FLOAT_RUNS + 1))):
        length = int(rng.integers(1, max(2, count // 4 + 1)))
        start = int(rng.integers(0, count))
        choice[start : start + length] = False
    return ~choice if rng.random() < 0.25 else choice


def _fit(units: Units, choices: NDArray[np.bool_], timed: Sequence[Timed]) -> LatencyModel:
    """Least squares of time = 1 - savings + crossing x numbers crossed, savings held near their share of the work.

    Each time counts by its own deviation. The last two unknowns are the crossing price and how much of its share a
    typical unit saves.
    """
    taken = np.asarray([one.share for one in timed])
    weight = 1 / np.maximum([one.deviation for one in timed], LEAST_NOISE)
    share = predict_latency(units).savings
    count, moved = len(units.names), np.asarray([crossed(units, choice) for choice in choices])
    scale = max(float(moved.max()), 1.0)
    rows = np.hstack([-choices.astype(np.float64), (moved / scale)[:, None], np.zeros((len(taken), 1))])
    spread = PRIOR_SPREAD * share + share.mean() / 4
    held = np.zeros((count, count + 2))
    held[np.arange(count), np.arange(count)] = 1 / spread
    held[:, -1] = -share / spread
    system = np.vstack([rows * weight[:, None], held])
    answer = np.linalg.lstsq(system, np.concatenate([(taken - 1) * weight, np.zeros(count)]), rcond=None)[0]
    model = LatencyModel(answer[:count], max(float(answer[-2]), 0.0) / scale, units, "measured", len(taken))
    left = [model.time(choice) - value for choice, value in zip(choices, taken, strict=True)]
    return replace(model, error=float(np.sqrt(np.mean(np.square(left)))))
