"""What the probes say went wrong while a run was timed: throttling, sinking clocks, other load. One sentence each."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from edgecnn.bench.probes import Snapshot

CLOCK_DROP = 0.10
OTHER_LOAD = 0.05
STOLEN = 0.02
SLOW_GOVERNORS = ("powersave", "conservative", "ondemand")
PI_BITS = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "soft temperature limit"}


def disturbances(shots: Sequence[Snapshot], cores: int) -> tuple[str, ...]:
    """Return what disturbed the time between the first and the last of `shots` (taken in order), if anything did."""
    found = [*_throttling(shots), *_pi(shots), *_clocks(shots), *_load(shots, cores)]
    governors = set(shots[0].governors or ())
    if slow := sorted(governors & set(SLOW_GOVERNORS)):
        found.append(f"CPU governor is '{slow[0]}': clocks follow the load; 'performance' gives steadier figures")
    return tuple(found)


def probe_table(shots: Sequence[Snapshot]) -> dict[str, Any]:
    """Return the first and the last shot whole, and of those between the range of clocks, heat and load."""
    between = shots[1:-1]
    clocks = [float(np.mean(shot.clocks_mhz)) for shot in between if shot.clocks_mhz]
    heat = [max(shot.temperatures_c.values()) for shot in between if shot.temperatures_c]
    during = {"mean_clock_mhz": clocks, "hottest_c": heat, "load_1min": [shot.load_1min for shot in between]}
    return {
        "before": msgspec.to_builtins(shots[0]),
        "during": {name: _range(values) for name, values in during.items()} | {"shots": len(between)},
        "after": msgspec.to_builtins(shots[-1]),
    }


def mean_power_w(shots: Sequence[Snapshot]) -> float | None:
    """Return the mean package power between the first and the last shot by RAPL, in W; None without RAPL.

    Each counter wraps at its range (`max_energy_range_uj`), so the shots are summed pair by pair.
    """
    energy_uj = 0
    for before, after in pairwise(shots):
        if before.energy_uj is None or after.energy_uj is None:
            return None
        ranges = after.energy_range_uj or {}
        for name, value in after.energy_uj.items():
            used = value - before.energy_uj.get(name, value)
            energy_uj += used if used >= 0 else used + ranges.get(name, 0)
    passed_s = shots[-1].time_s - shots[0].time_s
    return energy_uj / 1e6 / passed_s if len(shots) > 1 and passed_s > 0 else None


def other_load(shots: Sequence[Snapshot], cores: int) -> float | None:
    """Return the share of all cores' time in [0, 1] that other processes took between the first and last shot."""
    first, last = shots[0], shots[-1]
    passed_s = (last.time_s - first.time_s) * cores
    if first.busy_s is None or last.busy_s is None or passed_s <= 0:
        return None
    others_s = (last.busy_s - first.busy_s) - (last.own_s - first.own_s)
    return min(1.0, max(0.0, others_s / passed_s))


def _range(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"min": min(values), "median": float(np.median(values)), "max": max(values)}


def _throttling(shots: Sequence[Snapshot]) -> list[str]:
    before, after = shots[0].throttle_counts or {}, shots[-1].throttle_counts or {}
    events = sum(max(0, count - before.get(name, count)) for name, count in after.items())
    return [f"the CPU throttled for heat {events} times; cool it or measure a lower clock"] if events else []


def _pi(shots: Sequence[Snapshot]) -> list[str]:
    # Bits 16-19 stay set from boot on, so only what was not yet set before the run is the run's; bits 0-3 are now.
    known = [shot.pi_throttled for shot in shots if shot.pi_throttled is not None]
    if len(known) < 2:
        return []
    before = known[0]
    now = np.bitwise_or.reduce([value & 0xF for value in known])
    new = ((known[-1] >> 16) & 0xF) & ~((before >> 16) & 0xF)
    return [
        f"Raspberry Pi reports {name} during the run" for bit, name in PI_BITS.items() if (int(now) | new) >> bit & 1
    ]


def _clocks(shots: Sequence[Snapshot]) -> list[str]:
    # Of the shots during the run: the one before it is taken while the CPU idles at a low clock.
    means = [float(np.mean(shot.clocks_mhz)) for shot in shots[1:-1] if shot.clocks_mhz]
    if len(means) < 4:
        return []
    quarter = len(means) // 4
    early, late = float(np.median(means[: max(1, quarter)])), float(np.median(means[-max(1, quarter) :]))
    if late < (1 - CLOCK_DROP) * early:
        return [f"CPU clocks sank from {early:.0f} to {late:.0f} MHz during the run; the figures mix both"]
    return []


def _load(shots: Sequence[Snapshot], cores: int) -> list[str]:
    found = []
    others = other_load(shots, cores)
    if others is not None and others > OTHER_LOAD:
        found.append(f"other processes took {100 * others:.0f} % of the CPU during the run; stop them and repeat")
    first, last = shots[0], shots[-1]
    if first.stolen_s is not None and last.stolen_s is not None and last.time_s > first.time_s:
        stolen = (last.stolen_s - first.stolen_s) / ((last.time_s - first.time_s) * cores)
        if stolen > STOLEN:
            found.append(f"the hypervisor gave {100 * stolen:.0f} % of the CPU to others during the run")
    return found
