"""Latency models and assignments: known answers come back, and paths run from fast to exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.compress.quantize.latency import LatencyModel, Timed, crossed, measure_latency, predict_latency
from edgecnn.compress.quantize.mixed import assignments
from edgecnn.compress.quantize.units import Flow, Units


def chain(count, elements=1000):
    """Return units one behind the other, the first fed by the graph and the last feeding it."""
    ends = [None, *range(count)]
    flows = tuple(Flow(a, b, elements) for a, b in zip(ends, [*range(count), None], strict=True))
    return Units(tuple(f"n{i}" for i in range(count)), (10_000,) * count, (elements,) * count, flows)


def test_a_known_machine_is_found_again():
    units = chain(24)
    rng = np.random.default_rng(1)
    savings = rng.uniform(-0.01, 0.04, 24)
    machine = LatencyModel(savings, 2e-6, units, "measured")
    left = iter(range(1000))
    found = measure_latency(
        units, lambda choice: Timed(machine.time(choice) + rng.normal(0, 0.002)), lambda: next(left) < 200, 120
    )
    assert found.how == "measured"
    assert found.trials == 120
    assert np.abs(found.savings - savings).mean() < 0.008
    assert np.corrcoef(found.savings, savings)[0, 1] > 0.8
    everything = np.ones(24, np.bool_)
    assert found.time(everything) == pytest.approx(machine.time(everything), abs=0.02)


def test_few_trials_lean_on_the_work_counted():
    units = Units(
        ("big", "small"), (1_000_000, 1_000), (10, 10), (Flow(None, 0, 10), Flow(0, 1, 10), Flow(1, None, 10))
    )
    found = measure_latency(units, lambda choice: Timed(1 - 0.4 * float(choice.mean())), lambda: False, 1)
    assert found.savings[0] > found.savings[1]


def test_prediction_is_labelled_and_prefers_int8():
    found = predict_latency(chain(5))
    assert found.how == "predicted"
    assert found.time(np.ones(5, np.bool_)) < 1 == found.time(np.zeros(5, np.bool_))


def test_crossings_are_counted_once_a_tensor():
    units = chain(4, elements=7)
    assert crossed(units, np.array([1, 1, 1, 1], np.bool_)) == 14
    assert crossed(units, np.array([1, 0, 1, 1], np.bool_)) == 28
    assert crossed(units, np.zeros(4, np.bool_)) == 0


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_paths_run_from_fast_to_exact(count, seed):
    rng = np.random.default_rng(seed)
    units = chain(count)
    model = LatencyModel(rng.uniform(-0.05, 0.1, count), float(rng.uniform(0, 1e-5)), units, "measured")
    noise = rng.uniform(1e-6, 1e-2, count)
    path = assignments(model, noise)
    times = [model.time(choice) for choice in path]
    assert times == sorted(times)
    assert any(not choice.any() for choice in path)
    # What is fastest of all is no slower than either end.
    assert times[0] <= min(1.0, model.time(np.ones(count, np.bool_))) + 1e-9


def test_a_unit_that_int8_slows_down_stays_in_float():
    model = LatencyModel(np.array([0.2, -0.1, 0.2]), 1e-9, chain(3), "measured")
    assert assignments(model, np.full(3, 1e-4))[0].tolist() == [True, False, True]


def test_dear_crossings_keep_islands_together():
    model = LatencyModel(np.array([0.2, -0.01, 0.2]), 1e-4, chain(3), "measured")
    assert assignments(model, np.full(3, 1e-6))[0].tolist() in ([True, True, True], [False, False, False])
