"""Races: ratios of engines that take known times, in turns that favour nobody."""

import time

import numpy as np

from edgecnn.runtime.race import FEWEST_ROUNDS, speedups, times


class Sleeper:
    """An engine that takes a known time."""

    name, inputs, outputs = "sleeper", (), ()

    def __init__(self, seconds, log):
        self.seconds, self.log = seconds, log

    def infer(self, feeds):  # noqa: ARG002 - the face of an engine
        self.log.append(self.seconds)
        time.sleep(self.seconds)
        return {}

    def facts(self):
        return {}

    def close(self):
        pass


def test_the_faster_engine_wins_by_about_its_lead():
    log = []
    taken = times([(Sleeper(0.004, log), {}), (Sleeper(0.002, log), {})], 0.2)
    first, second = speedups(taken)
    assert first.value == first.low == first.high == 1
    assert 1 < second.low <= second.value <= second.high
    assert second.n == len(taken) >= FEWEST_ROUNDS


def test_each_round_runs_each_engine_once_and_turns_the_order():
    log = []
    times([(Sleeper(i * 1e-6, log), {}) for i in range(3)], 0.0)
    rounds = [log[i : i + 3] for i in range(0, len(log), 3)]
    assert all(len(set(one)) == 3 for one in rounds)
    assert len({one[0] for one in rounds}) == 3


def test_alone_an_engine_runs_once_before_it_is_timed():
    log = []
    times([(Sleeper(i * 1e-6, log), {}) for i in range(3)], 0.0, alone=True)
    assert log[::2] == log[1::2]


def test_equal_times_are_no_lead():
    rng = np.random.default_rng(0)
    found = speedups(1 + rng.normal(0, 0.01, (200, 2)))[1]
    assert found.low < 1 < found.high
