"""Race: loaded networks run in turn on one machine, so that what else the machine does falls on all of them alike."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.measure import Measurement
from edgecnn.runtime.engine import Engine

Feeds: TypeAlias = Mapping[str, NDArray[Any]]

WARM_UP_ROUNDS = 5
FEWEST_ROUNDS, MOST_ROUNDS = 9, 2000
RESAMPLES = 1000
METHOD = "median of interleaved pairs, percentile bootstrap over rounds"


def times(engines: Sequence[tuple[Engine, Feeds]], seconds: float, *, alone: bool = False) -> NDArray[np.float64]:
    """Return the seconds of each inference, float64 [rounds, engines].

    In every round each engine is timed once, in an order that turns from round to round. Rounds go on for about
    `seconds` and are at least `FEWEST_ROUNDS`. With `alone` an engine runs once before it is timed: it then finds its
    weights and threads as where nothing else runs, and not as the engine before it left them.
    """
    rows: list[list[float]] = []
    count, started = len(engines), 0.0
    for turn in range(WARM_UP_ROUNDS + MOST_ROUNDS):
        if turn == WARM_UP_ROUNDS:
            started = time.perf_counter()
        row = [0.0] * count
        for place in range(count):
            which = (turn + place) % count
            engine, feeds = engines[which]
            if alone:
                engine.infer(feeds)
            begun = time.perf_counter()
            engine.infer(feeds)
            row[which] = time.perf_counter() - begun
        if turn >= WARM_UP_ROUNDS:
            rows.append(row)
        if len(rows) >= FEWEST_ROUNDS and time.perf_counter() - started > seconds:
            break
    return np.asarray(rows)


def speedups(taken: NDArray[np.float64], on: str = "", seed: int = 0) -> list[Measurement]:
    """Return how many times as fast as the first engine each one is, from `times`' result [rounds, engines].

    The value is the median over rounds of (first's time / its time); above 1 is faster than the first.
    """
    ratios = taken[:, :1] / taken
    rng = np.random.default_rng(seed)
    rounds = len(ratios)
    drawn = np.median(ratios[rng.integers(0, rounds, (RESAMPLES, rounds))], axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return [
        Measurement(float(value), "x", rounds, float(low[i]), float(high[i]), on=on, method=METHOD)
        for i, value in enumerate(np.median(ratios, axis=0))
    ]
