"""Accuracy of an artefact on labelled frames, with bootstrap intervals, by condition, and against a reference."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgecnn.core.measure import Measurement, bootstrap_weights
from edgecnn.core.results import Frame, Result
from edgecnn.data.sample import Sample, read_image
from edgecnn.metrics.metric import Metric, Weights, defined, totals_by_weight

RESAMPLES = 1000
METHOD = "percentile bootstrap over frames, 1000 resamples"


@dataclass
class Scores:
    """One artefact's results and metric scores, a frame each, in the order of the samples."""

    results: list[Result] = field(default_factory=list)
    scores: list[Any] = field(default_factory=list)


def judge(
    models: dict[str, Callable[[Frame], Result]], samples: Sequence[Sample], metric: Metric, advance: Callable[[], None]
) -> dict[str, Scores]:
    """Return every model's scores; each frame is read once and shown to all of them."""
    found = {name: Scores() for name in models}
    for sample in samples:
        frame = read_image(sample.image)
        for name, model in models.items():
            result = model(frame)
            found[name].results.append(result)
            found[name].scores.append(metric.score(result, sample.truth))
        advance()
    return found


def figures(metric: Metric, scores: Sequence[Any], on: str, only: Collection[str] = ()) -> dict[str, Measurement]:
    """Return the figures of the metric (or `only` some) as measurements with intervals; one frame alone has none.

    Figures that the frames hold nothing of are left out.
    """
    totals = totals_by_weight(metric, scores, only)
    values = defined(totals(np.ones(len(scores), np.int64)))
    values = {name: value for name, value in values.items() if not only or name in only}
    if len(scores) == 1:
        return {name: Measurement(value, "", 1, on=on) for name, value in values.items()}
    intervals = bootstrap_weights(len(scores), totals, resamples=RESAMPLES)
    found = {}
    for name, value in values.items():
        low, high = intervals.get(name, (None, None))
        found[name] = Measurement(value, "", len(scores), low, high, on=on, method=METHOD)
    return found


def by_tag(
    metric: Metric, scores: Sequence[Any], samples: Sequence[Sample], figure: str, on: str
) -> dict[str, Measurement]:
    """Return `figure` for each condition that the samples name and that holds anything it speaks of."""
    tags = sorted({tag for sample in samples for tag in sample.tags})
    groups = {tag: [s for s, sample in zip(scores, samples, strict=True) if tag in sample.tags] for tag in tags}
    found = {tag: figures(metric, group, on, (figure,)) for tag, group in groups.items()}
    return {tag: measured[figure] for tag, measured in found.items() if figure in measured}


def drop(metric: Metric, reference: Sequence[Any], scores: Sequence[Any], figure: str, on: str) -> Measurement:
    """Return how many points (hundredths) `figure` is worse than the reference's; frames are resampled in pairs."""
    sign = 1.0 if metric.higher_is_better[figure] else -1.0
    before, after = (totals_by_weight(metric, one, (figure,)) for one in (reference, scores))

    def lost(weights: Weights) -> dict[str, float]:
        return {"drop": sign * 100 * (before(weights)[figure] - after(weights)[figure])}

    low, high = bootstrap_weights(len(scores), lost, resamples=RESAMPLES)["drop"]
    value = lost(np.ones(len(scores), np.int64))["drop"]
    return Measurement(value, "points", len(scores), low, high, on=on, method=f"paired {METHOD}")


def per_frame(metric: Metric, scores: Sequence[Any], figure: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the figure of each frame by itself, float64 [N]; NaN where a frame holds nothing it speaks of."""
    return np.array([metric.totals([score])[figure] for score in scores])
