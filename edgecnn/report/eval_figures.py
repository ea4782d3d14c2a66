"""Tables of an evaluation: every figure of every metric, by condition, and the gates."""

from typing import Final

from edgecnn.core.eval_evidence import ConditionTable, EvalResult
from edgecnn.core.measure import Measurement
from edgecnn.report import wording
from edgecnn.report.blocks import Block, Cell, Notice, Section, Table, Text

_TITLES: Final = {
    "tusimple": "TuSimple: lanes row by row",
    "culane": "CULane: lanes by overlap, 30 pixels wide",
    "bdd_boundary": "BDD100K, official: boundary F of lane drawings",
    "bdd_mask": "BDD100K, as papers report it: overlap of lane masks",
    "people": "People: COCO's averages, CityPersons' miss rates, and counts at the deployed score",
    "miss_rate": "CityPersons: log-average miss rate",
    "coco": "COCO: average precision and recall",
    "kitti": "KITTI: average precision by difficulty",
    "scene": "Lanes and objects together",
}
_COUNTS: Final = frozenset({"culane.false_lines"})
"""Figures that are numbers a frame, not shares."""
_UNSHARED: Final = "false_lines"
_WIDEST: Final = 8


def figures(found: EvalResult) -> Section:
    """Return a table a metric, the published program's own figures beside ours."""
    blocks: list[Block] = [Notice("warn", f"{note}.") for note in found.notes]
    blocks += [table for metric, measured in found.figures.items() for table in _metric_tables(found, metric, measured)]
    return Section("figures", "Figures", tuple(blocks))


def conditions(found: EvalResult) -> Section | None:
    """Return the tables by condition."""
    if not found.conditions:
        return None
    text = (
        "A frame counts under each of its tags. In a slice by size, visible share or occlusion, the other labelled "
        "objects are ignored: finding them is no error, missing them neither."
    )
    return Section("conditions", "By condition", (Text(text), *(_conditions(table) for table in found.conditions)))


def gates(found: EvalResult) -> Section | None:
    """Return every gate, the missed ones first."""
    if not found.gates:
        return None
    rows = tuple(
        (
            Cell(gate.rule),
            Cell("pass", status="pass") if gate.passed else Cell("fail", status="fail"),
            Cell(f"{gate.value:.4g}"),
            Cell(f"{gate.limit:g}"),
        )
        for gate in sorted(found.gates, key=lambda gate: gate.passed)
    )
    missed = tuple(Notice("fail", f"{gate.text}.") for gate in found.gates if not gate.passed)
    caption = "Each gate is judged on the value itself; a slice that holds nothing fails."
    return Section("gates", "Gates", (*missed, Table(caption, ("Gate", "result", "value", "bound"), rows)))


def shown_as(key: str, measured: Measurement) -> Measurement:
    """Return a figure as it is told: shares in percent, counts as they are."""
    return measured if key in _COUNTS or key == _UNSHARED else wording.share(measured)


def _metric_tables(found: EvalResult, metric: str, measured: dict[str, Measurement]) -> list[Table]:
    """Return a metric's figures, one a row."""
    if not measured:
        return []
    published = next((table for table in found.published.values() if metric == "coco"), {})
    program = next(iter(found.published), "")
    columns = ("Figure", "value", *((program,) if published else ()), "better")
    rows = tuple(
        (
            Cell(wording.words(name)),
            _cell(f"{metric}.{name}", one),
            *((Cell(_plain(published.get(name))),) if published else ()),
            Cell("lower" if f"{metric}.{name}" in found.lower_is_better else "higher"),
        )
        for name, one in measured.items()
    )
    caption = f"Measured on {found.frames:,} frames. {wording.how_told(measured)}"
    return [Table(caption, columns, rows, _TITLES.get(metric, metric))]


def _plain(value: float | None) -> str:
    return "" if value is None else "none" if value < 0 else f"{100 * value:.2f} %"


def _conditions(table: ConditionTable) -> Table:
    keys = list(dict.fromkeys(key for row in table.rows for key in row.figures))[:_WIDEST]
    rows = tuple(
        (Cell(row.name, _held(row.frames, row.objects)), *(_cell(key, row.figures.get(key)) for key in keys))
        for row in table.rows
    )
    taken = {f"{row.name} {key}": one for row in table.rows for key, one in row.figures.items()}
    return Table(wording.how_told(taken), ("Condition", *map(wording.words, keys)), rows, table.title)


def _held(frames: int, objects: int) -> str:
    held = f"{frames:,} frame{'' if frames == 1 else 's'}"
    return held + (f", {objects:,} object{'' if objects == 1 else 's'}" if objects else "")


def _cell(key: str, measured: Measurement | None) -> Cell:
    if measured is None:
        return Cell("none", "nothing of the kind")
    shown = shown_as(key, measured)
    return Cell(wording.value_text(shown), wording.interval_text(shown))
