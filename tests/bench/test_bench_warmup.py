import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.bench.warmup import steady_from


def trace(shape, *, n=1200, noise=0.02, seed=0):
    rng = np.random.default_rng(seed)
    return (5e6 * shape(np.arange(n) / n) * (1 + noise * np.abs(rng.normal(size=n)))).astype(np.int64)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 40), st.integers(120, 800))
def test_a_step_is_found_where_it_is(seed, where_pct, factor_pct):
    where, factor = where_pct / 100, factor_pct / 100
    found = steady_from(trace(lambda x: np.where(x < where, factor, 1.0), seed=seed))
    assert found is not None
    # Within two bins of 8 samples.
    assert abs(found - where * 1200) <= 16


def test_a_flat_trace_is_steady_from_the_start_nearly_always():
    found = [steady_from(trace(np.ones_like, seed=seed)) for seed in range(100)]
    assert sum(start == 0 for start in found) >= 97


def test_a_settling_trace_is_steady_once_it_has_settled():
    found = steady_from(trace(lambda x: 1 + np.exp(-x * 30)))
    assert found is not None
    assert 60 <= found <= 300


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda x: 1 + 0.15 * x, id="drift"),
        pytest.param(lambda x: 1 + 0.3 * (np.floor(x * 10) % 2), id="two levels in turn"),
        pytest.param(lambda x: 1 + 0.1 * np.sin(x * 40), id="cycle"),
        pytest.param(lambda x: np.where(x > 0.8, 1.5, 1.0), id="throttled near the end"),
    ],
)
def test_no_steady_state_is_said_when_there_is_none(shape):
    assert [steady_from(trace(shape, seed=seed)) for seed in range(10)] == [None] * 10


def test_stalls_of_a_hundred_times_the_median_are_no_change_of_level():
    latency = trace(np.ones_like)
    latency[::97] *= 100
    assert steady_from(latency) == 0


@pytest.mark.parametrize("n", [0, 1, 49])
def test_too_few_samples_to_tell(n):
    assert steady_from(np.full(n, 1000, np.int64)) is None


def test_a_constant_trace_is_steady():
    assert steady_from(np.full(100, 1000, np.int64)) == 0
