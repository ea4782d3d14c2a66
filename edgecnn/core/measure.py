"""Measurement: a figure that says how it was come by. Nothing in edgecnn reports a bare number."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

How = Literal["measured", "predicted", "emulated", "stated"]
Record = TypeVar("Record")


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value with its unit, sample count, confidence interval and origin.

    `low` and `high` bound the value at `confidence`; both None when no interval can be given (n too small).
    `on` says what it was taken on (engine and machine), `method` how the interval was made.
    """

    value: float
    unit: str
    n: int
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    how: How = "measured"
    on: str = ""
    method: str = ""

    def text(self, digits: int = 3) -> str:
        """Return e.g. `0.951 [0.944, 0.958] (n=400)`, followed by the origin unless it was measured."""
        interval = "" if self.low is None or self.high is None else f" [{self.low:.{digits}f}, {self.high:.{digits}f}]"
        unit = f" {self.unit}" if self.unit else ""
        origin = "" if self.how == "measured" else f", {self.how}"
        return f"{self.value:.{digits}f}{interval}{unit} (n={self.n}{origin})"


def bootstrap(
    records: Sequence[Record],
    statistics: Callable[[Sequence[Record]], Mapping[str, float]],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap interval (Efron 1979) of every named statistic of `records`, deterministic in `seed`."""
    if len(records) == 0:
        raise ValueError("a bootstrap interval needs at least one record")
    rng = np.random.default_rng(seed)
    n = len(records)
    totals = [statistics([records[i] for i in rng.integers(0, n, n).tolist()]) for _ in range(resamples)]
    tails = ((1 - confidence) / 2, (1 + confidence) / 2)
    intervals = {name: np.quantile([total[name] for total in totals], tails).tolist() for name in totals[0]}
    return {name: (low, high) for name, (low, high) in intervals.items()}


def bootstrap_weights(
    count: int,
    statistics: Callable[[NDArray[np.int64]], Mapping[str, float]],
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """`bootstrap` for statistics that take how often each of `count` records counts, int64 [count]; the same draws.

    A resample in which a statistic is undefined (NaN) is left out of its interval; one that never is has none.
    """
    if count == 0:
        raise ValueError("a bootstrap interval needs at least one record")
    rng = np.random.default_rng(seed)
    totals = [statistics(np.bincount(rng.integers(0, count, count), minlength=count)) for _ in range(resamples)]
    tails = ((1 - confidence) / 2, (1 + confidence) / 2)
    found = {}
    for name in totals[0]:
        values = np.array([total[name] for total in totals])
        values = values[~np.isnan(values)]
        if len(values):
            low, high = np.quantile(values, tails).tolist()
            found[name] = (low, high)
    return found


def bootstrap_mean(
    values: NDArray[np.float64], *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values` [N]; the fast case of `bootstrap`."""
    if len(values) == 0:
        raise ValueError("a bootstrap interval needs at least one value")
    rng = np.random.default_rng(seed)
    means = np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(resamples)])
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
