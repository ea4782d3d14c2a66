import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.measure import Measurement, bootstrap, bootstrap_mean

values = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None)
@given(values)
def test_the_interval_lies_within_the_data_and_is_ordered(data):
    low, high = bootstrap_mean(np.array(data), resamples=100)
    slack = 1e-9 * (1 + max(map(abs, data)))
    assert min(data) - slack <= low <= high <= max(data) + slack


@settings(max_examples=20, deadline=None)
@given(values, st.integers(0, 1000))
def test_the_same_seed_gives_the_same_interval(data, seed):
    one = bootstrap(data, lambda r: {"mean": float(np.mean(r))}, resamples=50, seed=seed)
    assert one == bootstrap(data, lambda r: {"mean": float(np.mean(r))}, resamples=50, seed=seed)


def test_the_fast_mean_agrees_with_the_general_bootstrap():
    data = np.random.default_rng(3).normal(size=200)
    slow = bootstrap(list(data), lambda r: {"mean": float(np.mean(r))}, resamples=600)
    fast = bootstrap_mean(data, resamples=600)
    assert np.allclose(slow["mean"], fast, atol=0.03)


def test_a_95_percent_interval_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(8)
    trials = 300
    hits = 0
    for trial in range(trials):
        low, high = bootstrap_mean(rng.normal(5.0, 2.0, 60), resamples=200, seed=trial)
        hits += low <= 5.0 <= high
    # At n = 60 the percentile bootstrap covers about 94 %; 300 trials scatter that by 1.4 points.
    assert 0.90 <= hits / trials <= 0.99


def test_more_samples_make_a_narrower_interval():
    rng = np.random.default_rng(1)
    few, many = (np.diff(bootstrap_mean(rng.normal(size=n), resamples=300))[0] for n in (25, 2500))
    assert many < few / 5


def test_no_interval_of_nothing():
    with pytest.raises(ValueError, match="at least one"):
        bootstrap([], lambda r: {"n": len(r)})
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_mean(np.zeros(0))


def test_text_gives_interval_and_count_and_labels_what_was_not_measured():
    assert Measurement(0.951, "", 400, 0.944, 0.958).text() == "0.951 [0.944, 0.958] (n=400)"
    assert Measurement(3.0, "ms", 1, how="predicted").text(1) == "3.0 ms (n=1, predicted)"
