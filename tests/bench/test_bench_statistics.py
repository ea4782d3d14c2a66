import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.bench import statistics
from edgecnn.core.errors import InputError

PERCENTILES = (0.5, 0.9, 0.99, 0.999)


def exact_cdf(n, p, k):
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@given(st.integers(1, 200), st.sampled_from(PERCENTILES))
def test_binomial_cdf_is_exact(n, p):
    cdf = statistics.binomial_cdf(n, p)
    for k in {0, n // 2, n}:
        assert cdf[k] == pytest.approx(exact_cdf(n, p, k), abs=1e-12)


@given(st.integers(1, 400), st.sampled_from(PERCENTILES))
def test_ranks_are_the_tightest_that_hold(n, p):
    low, high = statistics.percentile_ranks(n, p, 0.95)
    if low is not None:
        assert exact_cdf(n, p, low - 1) <= 0.025 + 1e-12
        assert exact_cdf(n, p, low) > 0.025 - 1e-12
    else:
        assert exact_cdf(n, p, 0) > 0.025 - 1e-12
    if high is not None:
        assert 1 - exact_cdf(n, p, high - 1) <= 0.025 + 1e-12
        assert high == 1 or 1 - exact_cdf(n, p, high - 2) > 0.025 - 1e-12
    else:
        assert 1 - exact_cdf(n, p, n - 1) > 0.025 - 1e-12


@pytest.mark.parametrize(("p", "needed"), [(0.9, 64), (0.99, 662), (0.999, 6636)])
def test_minimum_sample_counts_are_mlperfs(p, needed):
    assert statistics.min_samples(p) == needed
    samples = np.arange(needed, dtype=np.int64)
    taken = statistics.percentile(samples, p)
    assert taken.n == needed
    assert taken.low is not None
    assert taken.high is not None
    with pytest.raises(InputError, match=f"{needed - 1} samples, {needed} needed"):
        statistics.percentile(samples[:-1], p)


def test_median_is_refused_below_six_samples():
    assert statistics.percentile(np.arange(6), 0.5).low is not None
    with pytest.raises(InputError, match="p50 refused"):
        statistics.percentile(np.arange(5), 0.5)


@pytest.mark.parametrize(("n", "p"), [(30, 0.5), (80, 0.9), (700, 0.99)])
def test_interval_covers_the_true_quantile(n, p):
    rng = np.random.default_rng(7)
    truth = -math.log(1 - p) * 1e6
    trials = 1500
    covered = 0
    for _ in range(trials):
        taken = statistics.percentile(rng.exponential(1e6, n).astype(np.int64), p, unit="ns")
        covered += taken.low <= truth <= taken.high
    # 0.95 less three standard errors of the simulation itself.
    assert covered / trials >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / trials)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 3), st.integers(1, 7000))
def test_percentiles_are_monotone_and_inside_their_interval(seed, spread, distinct):
    rng = np.random.default_rng(seed)
    values = np.resize(rng.lognormal(14, spread, distinct).astype(np.int64), 7000)
    taken = [statistics.percentile(values, p) for p in PERCENTILES]
    assert [t.value for t in taken] == sorted(t.value for t in taken)
    assert all(t.low <= t.value <= t.high for t in taken)
    assert values.min() / 1e6 <= taken[0].low
    assert taken[-1].high <= values.max() / 1e6


@given(st.integers(0, 500), st.integers(1, 500))
def test_share_interval_holds_the_share(hits, n):
    hits = min(hits, n)
    taken = statistics.share(hits, n)
    assert 0 <= taken.low <= taken.value + 1e-9
    assert taken.value <= taken.high + 1e-9 <= 100 + 1e-6


def test_lag_one_sees_runs_and_not_noise():
    rng = np.random.default_rng(0)
    assert abs(statistics.lag_one(rng.integers(0, 10**6, 5000))) < 0.05
    assert statistics.lag_one(np.repeat(rng.integers(0, 10**6, 500), 10)) > 0.8
