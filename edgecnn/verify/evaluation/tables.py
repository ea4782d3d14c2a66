"""Tables by condition: what the figures are by day and by night, of small people and of hidden ones."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from edgecnn.core.eval_evidence import ConditionRow, ConditionTable
from edgecnn.core.gate_rule import Condition, TagCondition, conditions
from edgecnn.core.measure import Measurement
from edgecnn.core.results import Detections, Scene
from edgecnn.verify.accuracy import figures
from edgecnn.verify.evaluation.answers import LANES, OBJECTS
from edgecnn.verify.evaluation.fitting import Judged
from edgecnn.verify.slices import cut

TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "tusimple": ("accuracy", "fp", "fn"),
    "culane": ("f1", "false_lines"),
    "people": ("ap50", "mr_all", "recall", "precision"),
}
"""Figures that a table tells, by metric."""
HEIGHTS: Final = (
    "height<20",
    "height>=20, height<50",
    "height>=50, height<75",
    "height>=75, height<150",
    "height>=150",
)
VISIBILITIES: Final = ("visibility<0.2", "visibility>=0.2, visibility<0.65", "visibility>=0.65")
OCCLUSIONS: Final = ("occluded=0", "occluded=1", "occluded=2", "occluded=3")


def tables(judged: Sequence[Judged], on: str, advance: Callable[[], None]) -> tuple[ConditionTable, ...]:
    """Return a table by tag, and of objects by height, by visible share and by a label's level of occlusion."""
    told = [one for one in judged if one.metric.name in TOLD]
    if not told:
        return ()
    made = [
        ConditionTable("By condition", _rows(told, [(tag, (TagCondition(tag),)) for tag in _tags(told)], on, advance))
    ]
    objects = [one for one in told if one.kind == OBJECTS]
    for title, texts in (
        ("By height in pixels", HEIGHTS),
        ("By visible share", VISIBILITIES if _hidden(objects) else ()),
        ("By the label's level of occlusion", OCCLUSIONS),
    ):
        made.append(
            ConditionTable(title, _rows(objects, [(text, conditions(text, text)) for text in texts], on, advance))
        )
    return tuple(table for table in made if table.rows)


def _tags(judged: Sequence[Judged]) -> list[str]:
    return sorted({tag for one in judged[:1] for sample in one.samples for tag in sample.tags})


def _hidden(judged: Sequence[Judged]) -> bool:
    """Whether labels say of anything that it is partly hidden."""
    return any(
        len(sample.truth.visible) for one in judged for sample in one.samples if isinstance(sample.truth, Detections)
    )


def _rows(
    judged: Sequence[Judged], slices: Sequence[tuple[str, tuple[Condition, ...]]], on: str, advance: Callable[[], None]
) -> tuple[ConditionRow, ...]:
    rows = []
    for name, met in slices:
        frames, most = 0, 0
        found: dict[str, Measurement] = {}
        for one in judged:
            frames, objects, measured = _figures(one, met, on)
            most = max(most, objects)
            found |= {key if key not in found else f"{one.metric.name} {key}": value for key, value in measured.items()}
        if found:
            rows.append(ConditionRow(name, frames, most, found))
        advance()
    return tuple(rows)


def _figures(judged: Judged, met: tuple[Condition, ...], on: str) -> tuple[int, int, dict[str, Measurement]]:
    """Return frames, objects and figures of one metric in one slice."""
    told = TOLD[judged.metric.name]
    found = cut(met, judged.results, judged.samples)
    if found.why_empty:
        return len(found.frames), 0, {}
    if all(isinstance(one, TagCondition) for one in met):
        scores = [judged.scores[i] for i in found.frames]
    else:
        scores = [judged.metric.score(result, truth) for result, truth in found.pairs]
    measured = figures(judged.metric, scores, on, told)
    return len(found.frames), found.objects, {name: measured[name] for name in told if name in measured}


def counted(judged: Sequence[Judged]) -> tuple[int, int]:
    """Return labelled objects and lane lines that count, as the first metric of each sees them."""
    objects = next((_objects(one) for one in judged if one.kind != LANES), 0)
    lines = next((_lines(one) for one in judged if one.kind != OBJECTS), 0)
    return objects, lines


def _objects(judged: Judged) -> int:
    truths: list[Any] = [sample.truth for sample in judged.samples]
    parts = [truth.objects if isinstance(truth, Scene) else truth for truth in truths]
    return sum(int(np.sum(~part.ignored)) for part in parts)


def _lines(judged: Judged) -> int:
    truths: list[Any] = [sample.truth for sample in judged.samples]
    parts = [truth.lanes if isinstance(truth, Scene) else truth for truth in truths]
    return sum(len(part.lines) for part in parts)
