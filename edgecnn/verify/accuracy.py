"""Accuracy of an artefact on labelled frames, with bootstrap intervals, by condition, and against a reference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgecnn.core.measure import Measurement, bootstrap
from edgecnn.core.results import Frame, Result
from edgecnn.data.sample import Sample, read_image
from edgecnn.metrics.metric import Metric

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


def figures(metric: Metric, scores: Sequence[Any], on: str) -> dict[str, Measurement]:
    """Return every figure of the metric as a measurement with its interval; one frame alone has none."""
    values = metric.totals(scores)
    if len(scores) == 1:
        return {name: Measurement(value, "", 1, on=on) for name, value in values.items()}
    intervals = bootstrap(scores, metric.totals, resamples=RESAMPLES)
    return {
        name: Measurement(value, "", len(scores), *intervals[name], on=on, method=METHOD)
        for name, value in values.items()
    }


def by_tag(
    metric: Metric, scores: Sequence[Any], samples: Sequence[Sample], figure: str, on: str
) -> dict[str, Measurement]:
    """Return `figure` for each condition that the samples name."""
    tags = sorted({tag for sample in samples for tag in sample.tags})
    groups = {tag: [s for s, sample in zip(scores, samples, strict=True) if tag in sample.tags] for tag in tags}
    return {tag: figures(metric, group, on)[figure] for tag, group in groups.items()}


def drop(metric: Metric, reference: Sequence[Any], scores: Sequence[Any], figure: str, on: str) -> Measurement:
    """Return how many points (hundredths) `figure` is worse than the reference's; frames are resampled in pairs."""
    sign = 1.0 if metric.higher_is_better[figure] else -1.0

    def lost(pairs: Sequence[tuple[Any, Any]]) -> dict[str, float]:
        before, after = zip(*pairs, strict=True)
        return {"drop": sign * 100 * (metric.totals(before)[figure] - metric.totals(after)[figure])}

    pairs = list(zip(reference, scores, strict=True))
    low, high = bootstrap(pairs, lost, resamples=RESAMPLES)["drop"]
    return Measurement(lost(pairs)["drop"], "points", len(pairs), low, high, on=on, method=f"paired {METHOD}")


def per_frame(metric: Metric, scores: Sequence[Any], figure: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the figure of each frame by itself, float64 [N]."""
    return np.array([metric.totals([score])[figure] for score in scores])
