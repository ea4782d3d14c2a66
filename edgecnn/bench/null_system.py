"""The null system: an engine that answers at once, nothing before and nothing after it. All it takes is the harness."""

import numpy as np

from edgecnn.bench.series import Series
from edgecnn.bench.statistics import percentile
from edgecnn.bench.system import System
from edgecnn.core.measure import Measurement
from edgecnn.core.tensor import TensorSpec
from edgecnn.runtime.engines.null import open_engine

NAME = "null"
QUERIES_PER_BLOCK = 500


def null_system(inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> System:
    """Return a system whose inputs and outputs have the shapes given and that computes nothing."""
    engine = open_engine({}, inputs, outputs, {})
    feeds = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in inputs}
    return System(NAME, lambda frame: frame, engine.infer, lambda _outputs, _frame: None, [feeds], QUERIES_PER_BLOCK)


def overhead(series: Series) -> dict[str, Measurement]:
    """Return what the harness costs a query, in microseconds, from the null system's single stream.

    `null_query_us`: what it adds to a measured latency (clock reads, calls, the check of the inputs).
    `null_period_us`: from one query to the next, so the keeping of samples too, which no latency contains.
    """
    judged = series.judged(None)
    rows = series.rows()
    starts = rows[:, 0]
    following = judged[1:] & judged[:-1] & (np.diff(series.round_of_row()) == 0)
    return {
        "null_query_us": percentile(series.scenario.latency_ns(rows[judged]), 0.5, unit="us"),
        "null_period_us": percentile(np.diff(starts)[following], 0.5, unit="us"),
    }
