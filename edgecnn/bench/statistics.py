"""Percentiles with distribution-free intervals, and the sample count below which a percentile is refused."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import InputError
from edgecnn.core.measure import Measurement

REFUSAL_CONFIDENCE = 0.99
RESAMPLES = 2000
METHOD = "order statistics (exact binomial), samples taken as independent"


def binomial_cdf(n: int, p: float) -> NDArray[np.float64]:
    """Return P(X <= k) for k = 0..n of X ~ Binomial(n, p), float64 [n + 1]."""
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    log_pmf = log_factorial[n] - log_factorial[k] - log_factorial[n - k] + k * math.log(p) + (n - k) * math.log1p(-p)
    cdf: NDArray[np.float64] = np.minimum(np.cumsum(np.exp(log_pmf)), 1.0)
    return cdf


@lru_cache(maxsize=64)
def percentile_ranks(n: int, p: float, confidence: float) -> tuple[int | None, int | None]:
    """Return the 1-based ranks (low, high) whose order statistics bound the `p` quantile at `confidence`.

    Of n independent samples, X ~ Binomial(n, p) lie at or below the quantile: the low rank misses it when X < low,
    the high one when X >= high; each may happen with (1 - confidence) / 2 (David and Nagaraja, Order Statistics,
    7.1). None where n is too small for such a rank.
    """
    tail = (1 - confidence) / 2
    cdf = binomial_cdf(n, p)
    low = int(np.searchsorted(cdf, tail, side="right"))
    below_high = np.nonzero(1 - cdf <= tail)[0]
    high = int(below_high[0]) + 1 if len(below_high) else n + 1
    return (low if low >= 1 else None), (high if high <= n else None)


@lru_cache(maxsize=64)
def min_samples(p: float) -> int:
    """Return the fewest samples for which the `p` quantile is reported.

    For the tail it is MLPerf's early-stopping rule with one sample set aside: the least n at which as few as one
    sample beyond the quantile would be seen with 1 % probability, p^n + n (1 - p) p^(n - 1) <= 0.01. For the median
    it is the least n that has a 95 % interval at all.
    """
    if p <= 0.5:
        return 6
    n = 2
    while p**n + n * (1 - p) * p ** (n - 1) > 1 - REFUSAL_CONFIDENCE:
        n += 1
    return n


def percentile_name(p: float) -> str:
    """Return `p50`, `p99`, `p99.9`."""
    return f"p{100 * p:.6g}"


def refusal(n: int, p: float) -> str:
    """Return why the `p` quantile of `n` samples is not reported, empty when it is."""
    needed = min_samples(p)
    return "" if n >= needed else f"{percentile_name(p)} refused: {n} samples, {needed} needed"


def percentile(samples_ns: NDArray[np.int64], p: float, *, unit: str = "ms", on: str = "") -> Measurement:
    """Return the `p` quantile (nearest rank) of `samples_ns` [N] with its 95 % order-statistic interval.

    Raises:
        InputError: N is below `min_samples(p)`.
    """
    n = len(samples_ns)
    if reason := refusal(n, p):
        raise InputError(f"{reason}; measure for longer")
    scale = {"ms": 1e6, "us": 1e3, "ns": 1.0}[unit]
    ordered = np.sort(samples_ns)
    low, high = percentile_ranks(n, p, 0.95)
    return Measurement(
        value=float(ordered[math.ceil(n * p - 1e-9) - 1]) / scale,
        unit=unit,
        n=n,
        low=None if low is None else float(ordered[low - 1]) / scale,
        high=None if high is None else float(ordered[high - 1]) / scale,
        on=on,
        method=METHOD,
    )


def share(hits: int, n: int, *, on: str = "") -> Measurement:
    """Return `hits` of `n` in percent with the 95 % score interval (Wilson 1927)."""
    z = 1.959964
    rate = hits / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if hits == 0 else centre - half
    high = 1.0 if hits == n else centre + half
    return Measurement(100 * rate, "%", n, 100 * low, 100 * high, on=on, method="Wilson score interval")


def median_interval(values: NDArray[np.float64], *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile-bootstrap interval of the median of `values` [N], deterministic in `seed`."""
    rng = np.random.default_rng(seed)
    medians = np.median(values[rng.integers(0, len(values), (RESAMPLES, len(values)))], axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(low), float(high)


def lag_one(samples_ns: NDArray[np.int64]) -> float:
    """Return the lag-1 rank autocorrelation of `samples_ns` [N] in [-1, 1]; 0 for fewer than 20 samples.

    Ranks, because one stall of a hundred times the median would hide everything else.
    """
    if len(samples_ns) < 20:
        return 0.0
    ranks = np.argsort(np.argsort(samples_ns, kind="stable"), kind="stable").astype(np.float64)
    return float(np.corrcoef(ranks[:-1], ranks[1:])[0, 1])
