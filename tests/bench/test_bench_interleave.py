import numpy as np
import pytest
from bench_fakes import FakeClock, timed_system

from edgecnn.bench import interleave as module
from edgecnn.bench.camera import Camera
from edgecnn.bench.compare import judge, unpaired_ratio
from edgecnn.bench.interleave import interleave, paired_ratio, round_medians, schedule
from edgecnn.bench.scenario import LEAD_IN
from edgecnn.bench.single_stream import SingleStream
from edgecnn.core.errors import InputError

MS = 1_000_000


def run(systems, clock, seconds=4.0, seed=0):
    return interleave(SingleStream(), systems, schedule(SingleStream(), seconds), clock=clock, seed=seed)


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(module, "REST_S", 0.0)


def test_seconds_are_kept_and_blocks_are_no_shorter_than_the_scenario_bears():
    for seconds in (0.5, 1, 2, 10, 60, 600):
        for scenario in (SingleStream(), Camera(30)):
            cut = schedule(scenario, seconds)
            assert 2 <= cut.rounds <= 40
            assert cut.rounds * cut.block_seconds == pytest.approx(seconds)
            assert cut.block_seconds >= min(scenario.block_seconds, seconds / 2)


def test_every_round_has_every_system_in_an_order_that_changes():
    clock = FakeClock()
    order = []

    def noting(name):
        system = timed_system(clock, lambda _: MS, name=name)
        return type(system)(
            name, system.pre, lambda feeds: (order.append(name), system.engine(feeds)), system.post, [0]
        )

    found = run([noting("a"), noting("b"), noting("c")], clock)
    for series in found.values():
        assert series.rounds[-8:] == list(range(8))
    turns = [name for i, name in enumerate(order) if i == 0 or order[i - 1] != name]
    assert len({tuple(turns[i : i + 3]) for i in range(3, len(turns) - 2, 3)}) > 1


def test_drift_of_the_machine_leaves_the_ratio_alone():
    """The machine slows to a third during the run; B does 1.25 times the work of A all along."""
    clock = FakeClock()
    begin = clock.now_ns()

    def drifting(work):
        return lambda _: round(work * MS * (1 + (clock.now_ns() - begin) / 10e9))

    found = run([timed_system(clock, drifting(1), name="a"), timed_system(clock, drifting(1.25), name="b")], clock, 8)
    medians = {
        name: round_medians(s.columns()["latency_ns"], s.round_of_row(), s.judged(None)) for name, s in found.items()
    }
    ratio = paired_ratio(medians["b"], medians["a"])
    assert ratio.n == 16
    assert ratio.low <= 1.25 <= ratio.high
    assert ratio.high - ratio.low < 0.1
    levels = list(medians["a"].values())
    assert max(levels) > 1.5 * min(levels)


def test_warm_up_goes_on_until_the_trace_is_steady_and_is_not_counted():
    clock = FakeClock()
    series = run([timed_system(clock, lambda n: (50 if n < 10 else 1) * MS)], clock)["fake"]
    start = series.steady_from()
    assert start is not None
    # Rows 0 to 9 are slow; a median of five says so up to two samples before the tenth.
    assert start >= 8
    assert series.rounds[0] == -1
    judged = series.judged(start)
    assert set(series.columns()["latency_ns"][judged]) == {MS}
    assert not judged[series.round_of_row() == -1].any()


def test_lead_in_is_kept_but_not_counted():
    clock = FakeClock()
    series = run([timed_system(clock, lambda _: MS)], clock)["fake"]
    columns = series.columns()
    assert columns["lead_in"].sum() == LEAD_IN * len(series.blocks)
    assert not series.judged(0)[columns["lead_in"] == 1].any()
    assert len(columns["round"]) == len(columns["start_ns"]) == len(columns["latency_ns"])


def test_a_ratio_needs_rounds_in_common():
    with pytest.raises(InputError, match="fewer than 2 rounds in common"):
        paired_ratio({0: 1.0, 1: 1.0}, {1: 1.0, 2: 1.0})


def test_the_ratio_is_the_same_every_time():
    rng = np.random.default_rng(0)
    first = dict(enumerate(rng.normal(10, 1, 20)))
    second = dict(enumerate(rng.normal(10, 1, 20)))
    assert paired_ratio(first, second) == paired_ratio(first, second)


@pytest.mark.parametrize("rounds", [2, 4, 5])
def test_few_rounds_have_a_ratio_and_no_interval(rounds):
    first, second = {i: 2.0 + 0.1 * i for i in range(rounds)}, dict.fromkeys(range(rounds), 1.0)
    for ratio in (paired_ratio(first, second), unpaired_ratio(first, second)):
        assert ratio.value == pytest.approx(1.95 + 0.05 * rounds)
        assert (ratio.low is None) == (ratio.high is None) == (rounds < 5)
        assert (judge(ratio) == "undecided") == (rounds < 5)
