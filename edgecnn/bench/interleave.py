"""Interleaving: systems take turns in short blocks, in random order each round, so that what drifts hits all alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgecnn.bench.clock import Clock
from edgecnn.bench.scenario import Scenario
from edgecnn.bench.series import WARMUP, Series
from edgecnn.bench.statistics import median_interval
from edgecnn.bench.system import System
from edgecnn.core.errors import InputError
from edgecnn.core.measure import Measurement

MIN_ROUNDS, MAX_ROUNDS = 8, 40
FEWEST_FOR_INTERVAL = 5
"""Rounds below which resampling them tells little of how far their median may be off: no interval is given."""
BLOCKS_PER_SECOND = 2.0
# The threads of the engine that ran before spin for a moment after its last call; they are let come to rest.
REST_S = 0.02
METHOD = "median of per-round ratios of medians, rounds interleaved in random order, bootstrap over rounds"


@final
@dataclass(frozen=True, slots=True)
class Schedule:
    """How `seconds` of a scenario are cut up: `rounds` blocks of `block_seconds`, and the most warm-up allowed."""

    rounds: int
    block_seconds: float
    warmup_seconds: float


def schedule(scenario: Scenario, seconds: float) -> Schedule:
    """Cut `seconds` into blocks: two a second within 8 to 40 rounds, none shorter than the scenario can bear.

    A camera needs long blocks, so it keeps to `seconds` rather than to 8 rounds; up to half as much is warm-up.
    """
    rounds = min(MAX_ROUNDS, max(MIN_ROUNDS, round(seconds * BLOCKS_PER_SECOND)))
    if seconds / rounds < scenario.block_seconds:
        rounds = max(2, round(seconds / scenario.block_seconds))
    return Schedule(rounds, seconds / rounds, max(0.5, seconds / 2))


def interleave(
    scenario: Scenario,
    systems: Sequence[System],
    plan: Schedule,
    *,
    clock: Clock,
    seed: int,
    after_block: Callable[[], None] = lambda: None,
) -> dict[str, Series]:
    """Warm every system up, then run the rounds; returns each system's series by name.

    `after_block` is called between blocks, outside of all timing.
    """
    rng = np.random.default_rng(seed)
    series = {system.name: Series(scenario) for system in systems}
    for system in systems:
        warm_up(system, series[system.name], plan, clock)
        after_block()
    for number in range(plan.rounds):
        for i in rng.permutation(len(systems)):
            time.sleep(REST_S)
            series[systems[i].name].add(number, scenario.block(systems[i], clock, plan.block_seconds))
            after_block()
    return series


def warm_up(system: System, series: Series, plan: Schedule, clock: Clock) -> None:
    """Run blocks until the trace shows a steady state or `plan.warmup_seconds` are over."""
    stop_ns = clock.now_ns() + round(plan.warmup_seconds * 1e9)
    while True:
        series.add(WARMUP, series.scenario.block(system, clock, min(plan.block_seconds, plan.warmup_seconds)))
        if clock.now_ns() >= stop_ns or series.steady_from() is not None:
            return


def round_medians(
    latency_ns: NDArray[np.int64], rounds: NDArray[np.int64], judged: NDArray[np.bool_]
) -> dict[int, float]:
    """Return the median latency of every round that has judged samples."""
    return {int(number): float(np.median(latency_ns[judged & (rounds == number)])) for number in set(rounds[judged])}


def paired_ratio(
    first: Mapping[int, float], second: Mapping[int, float], *, on: str = "", seed: int = 0
) -> Measurement:
    """Return how many times `second` fits into `first`, round by round, with its 95 % interval from 5 rounds on.

    Raises:
        InputError: fewer than two rounds in common.
    """
    common = sorted(set(first) & set(second))
    if len(common) < 2:
        raise InputError("the two runs have fewer than 2 rounds in common; measure them interleaved and for longer")
    ratios = np.array([first[number] / second[number] for number in common])
    value = float(np.median(ratios))
    if len(common) < FEWEST_FOR_INTERVAL:
        return Measurement(value, "x", len(common), on=on, method=METHOD)
    low, high = median_interval(ratios, seed=seed)
    return Measurement(value, "x", len(common), low, high, on=on, method=METHOD)
