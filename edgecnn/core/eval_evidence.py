"""What an evaluation leaves in JSON: figures, tables by condition, curves, gates and the worst frames."""

import msgspec

from edgecnn.core.evidence import GalleryFrame, Gate
from edgecnn.core.measure import Measurement


class ConditionRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One slice: how many frames and labelled objects it holds, and its figures; undefined ones are absent."""

    name: str
    frames: int
    objects: int
    figures: dict[str, Measurement]


class ConditionTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Slices of one kind: by tag, by visibility, by height."""

    title: str
    rows: tuple[ConditionRow, ...]


class Curve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a chart: `kind` is `miss_rate` (x: false positives per image) or `precision` (x: recall)."""

    kind: str
    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


class EvalResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`eval.json`.

    Attributes:
        source: what was judged: a bundle's artefact, or a file or folder of predictions and its form.
        data, form: the labelled data set and its format.
        frames, objects, lines: how many were judged of each; objects that are ignored are not counted.
        figures: by metric and figure, with intervals; undefined ones are absent.
        lower_is_better: figures, as `metric.figure`, of which less is better.
        published: figures as another program printed them, by that program.
        conditions, curves, gates, gallery: the parts of the report.
        drawing: by what the gallery's results are drawn.
        notes: what a reader has to know.
    """

    source: str
    data: str
    form: str
    frames: int
    objects: int
    lines: int
    figures: dict[str, dict[str, Measurement]]
    lower_is_better: tuple[str, ...] = ()
    published: dict[str, dict[str, float]] = {}
    conditions: tuple[ConditionTable, ...] = ()
    curves: tuple[Curve, ...] = ()
    gates: tuple[Gate, ...] = ()
    gallery: tuple[GalleryFrame, ...] = ()
    drawing: str = ""
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every gate holds."""
        return all(gate.passed for gate in self.gates)
