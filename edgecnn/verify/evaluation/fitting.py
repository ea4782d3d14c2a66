"""Which metrics fit an answer and its labels, and what of both each of them is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from edgecnn.core.errors import DataError, InputError
from edgecnn.core.registry import known, nearest, resolve
from edgecnn.core.results import Detections, Lanes, Result, Scene
from edgecnn.data.formats.lane_labels import even_rows
from edgecnn.data.sample import Sample
from edgecnn.metrics.matching import ANY_CLASS
from edgecnn.metrics.metric import Metric
from edgecnn.runtime.codec import Codec
from edgecnn.verify.evaluation.answers import LANES, OBJECTS, SCENE, Answers, part

JUDGED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("tusimple", "culane", "bdd_boundary", "bdd_mask"), LANES),
    **dict.fromkeys(("people", "coco", "miss_rate", "kitti"), OBJECTS),
    "scene": SCENE,
}
"""Which part of an answer each metric judges; one of another package judges the whole."""
_DEFAULT: Final[Mapping[str, tuple[str, ...]]] = {
    LANES: ("tusimple", "culane", "bdd_boundary", "bdd_mask"),
    OBJECTS: ("people", "coco"),
}
_OCCLUDED: Final = "occluded"


@dataclass(frozen=True, slots=True)
class Judged:
    """One metric with what it is shown.

    Attributes:
        metric: the metric.
        kind: LANES, OBJECTS or SCENE.
        results, samples: in the order of the data set; the samples' truth is what the metric takes.
        scores: of each frame.
    """

    metric: Metric
    kind: str
    results: Sequence[Result]
    samples: Sequence[Sample]
    scores: Sequence[Any]


def fitting(answers: Answers, samples: Sequence[Sample], wanted: Sequence[str], codec: Codec | None) -> list[Judged]:
    """Return the metrics called `wanted`, or all that fit, with every frame's score.

    Args:
        answers: what was found.
        samples: with the labels as they were read.
        wanted: names; empty for all that fit.
        codec: the bundle's, which knows its own classes; None for predictions.

    Raises:
        InputError: a metric is unknown or judges something else.
    """
    labels = [_label(sample, answers, codec) for sample in samples]
    names = wanted or _names(answers.kind, samples)
    made: dict[str, Judged] = {}
    for name in names:
        if name not in known("metric"):
            raise InputError(f"unknown metric '{name}'{nearest(name, known('metric'))}")
        kind = JUDGED.get(name, answers.kind)
        if kind not in {answers.kind, *(_DEFAULT if answers.kind == SCENE else ())}:
            raise InputError(f"metric '{name}' judges {kind}; these answers are {answers.kind}")
        # KITTI has rules of its own for the classes beside those that are judged.
        shown = samples if name == "kitti" else labels
        made[name] = _judged(name, kind, answers, shown)
    return list(made.values())


def _names(kind: str, samples: Sequence[Sample]) -> tuple[str, ...]:
    if kind == LANES:
        return _DEFAULT[LANES]
    told = any(_OCCLUDED in one for sample in samples for one in _attributes(sample))
    objects = (*_DEFAULT[OBJECTS], *(("kitti",) if told else ()))
    return objects if kind == OBJECTS else ("scene", *_DEFAULT[LANES], *objects)


def _attributes(sample: Sample) -> Sequence[Mapping[str, Any]]:
    truth = sample.truth
    return truth.attributes if isinstance(truth, Detections) else ()


def _judged(name: str, kind: str, answers: Answers, samples: Sequence[Sample]) -> Judged:
    metric: Metric = resolve("metric", name)()
    results = [part(result, kind) for result in answers.results]
    shown = [replace(sample, truth=part(sample.truth, kind)) for sample in samples]
    scores = answers.scored.get(name) or [
        metric.score(result, sample.truth) for result, sample in zip(results, shown, strict=True)
    ]
    return Judged(metric, kind, results, shown, scores)


def _label(sample: Sample, answers: Answers, codec: Codec | None) -> Sample:
    """Return the sample with what its label says of the answers' kind, in their classes."""
    try:
        if codec is not None:
            truth = codec.truth(sample.truth)
        elif answers.kind == LANES:
            truth = part(sample.truth, LANES)
        elif answers.kind == OBJECTS:
            truth = in_classes(sample.truth, answers.classes)
        else:
            lanes: Any = part(sample.truth, LANES)
            truth = Scene(lanes, in_classes(sample.truth, answers.classes))
    except DataError as error:
        raise DataError(f"{sample.where}: {error}") from error
    return replace(sample, truth=_with_rows(truth))


def in_classes(truth: Result, classes: Sequence[str]) -> Any:
    """Return the objects of a label as those of `classes`, or of its own ones, with what is to be ignored.

    What other persons and regions mean to a class is what the codec `centres` says.
    """
    objects = part(truth, OBJECTS)
    own = tuple(classes) or _own_classes(objects)
    return resolve("codec", "centres")({"classes": own}).truth(objects) if own else objects


def _own_classes(objects: Any) -> tuple[str, ...]:
    counted = np.unique(objects.labels[~objects.ignored]).tolist()
    return tuple(name for name in (objects.names[i] for i in counted) if name not in ANY_CLASS)


def _with_rows(truth: Any) -> Any:
    """Return lanes whose label names no rows with those that TuSimple would label."""
    if isinstance(truth, Lanes):
        return truth if len(truth.rows) else replace(truth, rows=even_rows(truth))
    return truth if isinstance(truth, Detections) else replace(truth, lanes=_with_rows(truth.lanes))
