"""From samples to figures: which percentiles a scenario reports, and what a reader must be told beside them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgecnn.bench.camera import Camera
from edgecnn.bench.series import Series
from edgecnn.bench.statistics import lag_one, percentile, percentile_name, refusal, share
from edgecnn.core.measure import Measurement

PERCENTILES = (0.5, 0.9, 0.99, 0.999)
# p99.9 needs 6,636 samples, which only long runs have: it is given when it can be and not missed otherwise.
EXPECTED = PERCENTILES[:3]
PARTS = ("pre_ns", "engine_ns", "post_ns")
CORRELATED = 0.5


class Figures(NamedTuple):
    """Figures by name with unit, the first steady sample (None without steady state) and notes."""

    values: dict[str, Measurement]
    steady_from: int | None
    notes: tuple[str, ...]


def summarize(series: Series, *, on: str = "") -> Figures:
    """Return the figures of one system under one scenario."""
    steady = series.steady_from()
    judged = series.judged(steady)
    notes = []
    if steady is None:
        notes.append("no steady state was reached within the run; figures are of all interleaved rounds")
    elif not judged.any():
        notes.append("steady only after the last round; measure for longer")
    columns = {name: column[judged] for name, column in series.columns().items()}
    latency = columns["latency_ns"]
    values = {}
    for p in PERCENTILES:
        reason = refusal(len(latency), p)
        if not reason:
            values[f"{percentile_name(p)}_ms"] = percentile(latency, p, on=on)
        elif p in EXPECTED:
            notes.append(reason)
    if len(latency):
        values["max_ms"] = Measurement(float(latency.max()) / 1e6, "ms", len(latency), on=on, method="slowest sample")
        values |= _parts(columns, on) if "pre_ns" in columns else {}
        values |= _camera(series.scenario, columns, on) if isinstance(series.scenario, Camera) else {}
    if lag_one(latency) > CORRELATED:
        notes.append("neighbouring samples resemble each other, so the intervals of percentiles are too narrow")
    return Figures(values, steady, tuple(notes))


def _parts(columns: dict[str, NDArray[np.int64]], on: str) -> dict[str, Measurement]:
    if refusal(len(columns["latency_ns"]), 0.5):
        return {}
    return {f"{part.removesuffix('_ns')}_p50_ms": percentile(columns[part], 0.5, on=on) for part in PARTS}


def _camera(scenario: Camera, columns: dict[str, NDArray[np.int64]], on: str) -> dict[str, Measurement]:
    processed, dropped = len(columns["latency_ns"]), int(columns["dropped"].sum())
    # A dropped frame has missed its deadline too: its result never came.
    late = int((columns["latency_ns"] > scenario.period_ns).sum())
    produced = processed + dropped
    return {
        "dropped_pct": share(dropped, produced, on=on),
        "deadline_missed_pct": share(late + dropped, produced, on=on),
        "produced_frames": Measurement(produced, "frames", 1, on=on, method=f"camera at {scenario.fps:g} frames/s"),
    }
