"""Mixed precision: the assignments worth trying, from all that saves time in INT8 to all float.

Noise powers of units add up (each is small against the signal), and so do their savings; what does not add up is the
price of crossing between formats. For every exchange rate between noise and time the best assignment is found by
flipping runs of units while that helps. The rates together give a path on which noise falls as time rises.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecnn.compress.quantize.latency import Choice, LatencyModel
from edgecnn.compress.quantize.units import Flow

RATES = 40
LONGEST_RUN = 8
SWEEPS = 20


def assignments(latency: LatencyModel, noise: NDArray[np.float64]) -> list[Choice]:
    """Return different assignments [units], the fastest first, the last all in float.

    Args:
        latency: time of an assignment.
        noise: what INT8 in each unit adds to the outputs, noise over signal power, [units].
    """
    count = len(noise)
    start = np.ones(count, np.bool_)
    found: list[Choice] = []
    for rate in _rates(latency, noise):
        start = _best(start, latency, rate * noise)
        if not any(np.array_equal(start, other) for other in found):
            found.append(start)
    everything = np.zeros(count, np.bool_)
    if not any(np.array_equal(everything, other) for other in found):
        found.append(everything)
    return sorted(found, key=latency.time)


def _rates(latency: LatencyModel, noise: NDArray[np.float64]) -> Iterator[float]:
    """Yield exchange rates of time for noise power: none, then from where the first unit turns to where all have."""
    yield 0.0
    useful = (latency.savings > 0) & (noise > 0)
    if useful.any():
        ratios = latency.savings[useful] / noise[useful]
        yield from np.geomspace(float(ratios.min()) / 10, float(ratios.max()) * 10, RATES).tolist()


def _best(start: Choice, latency: LatencyModel, price: NDArray[np.float64]) -> Choice:
    """Return the assignment of least time plus price that flips of runs lead to from `start`."""
    choice, flows = start.copy(), latency.units.flows
    touching: list[list[int]] = [[] for _ in price]
    for index, flow in enumerate(flows):
        for unit in {flow.source, flow.reader} - {None}:
            touching[unit].append(index)  # type: ignore[index]
    gain = latency.savings - price
    for _ in range(SWEEPS):
        moved = False
        for length in range(1, min(LONGEST_RUN, len(choice)) + 1):
            for first in range(len(choice) - length + 1):
                run = range(first, first + length)
                near = sorted({index for unit in run for index in touching[unit]})
                before = _crossing(flows, near, choice)
                choice[first : first + length] ^= True
                signs = np.where(choice[first : first + length], -1.0, 1.0)
                change = float((signs * gain[first : first + length]).sum())
                change += latency.crossing * (_crossing(flows, near, choice) - before)
                if change < -1e-12:
                    moved = True
                else:
                    choice[first : first + length] ^= True
        if not moved:
            break
    return choice


def _crossing(flows: Sequence[Flow], near: list[int], choice: Choice) -> float:
    return float(sum(flows[index].elements for index in near if flows[index].crosses(choice)))
