"""What a search for the best mix of INT8 and float tried, and what it decided for each node."""

import math

from edgecnn.core.evidence import QuantizedModel
from edgecnn.report import wording
from edgecnn.report.blocks import Block, Cell, Notice, Table
from edgecnn.report.drift_words import db_text

_ROWS = 12


def tables(name: str, model: QuantizedModel) -> list[Block]:
    """Return the notes, the trials, and the nodes where INT8 changes the time most; nothing where none was searched."""
    blocks: list[Block] = [Notice("warn", f"{name}: {note.rstrip('.')}.") for note in model.notes]
    if model.trials:
        blocks.append(_trials(name, model))
    if model.decisions:
        blocks.append(_decisions(name, model))
    return blocks


def _trials(name: str, model: QuantizedModel) -> Table:
    rows = tuple(
        (
            Cell(str(number)),
            Cell(f"{one.int8} of {one.units}"),
            Cell(f"{one.score:.4g}"),
            wording.UNKNOWN if one.predicted_time is None else Cell(f"{one.predicted_time:.3f}", "predicted", "warn"),
        )
        for number, one in enumerate(model.trials, 1)
    )
    caption = (
        "Mixes that were quantized and judged, in this order. Time is predicted, as a share of the float network's."
    )
    return Table(caption, ("Trial", "nodes in INT8", "judged", "time"), rows, f"What the search tried, {name}")


def _decisions(name: str, model: QuantizedModel) -> Table:
    widest = sorted(model.decisions.items(), key=lambda item: -abs(item[1].saving))[:_ROWS]
    rows = tuple(
        (
            Cell(node),
            Cell("INT8" if one.precision == "int8" else "float"),
            Cell(
                f"{wording.number(100 * one.saving, 2)} % of the time",
                f"no interval, {one.how}",
                "none" if one.how == "measured" else "warn",
            ),
            Cell(db_text(-10 * math.log10(one.noise) if one.noise > 0 else 120.0)),
        )
        for node, one in widest
    )
    more = len(model.decisions) - len(rows)
    caption = (
        "The nodes where INT8 changes the time most; a negative saving is a loss. The last column is the "
        "signal-to-noise ratio of the outputs with this node alone in INT8."
        + (f" {more} more nodes are in the JSON." if more else "")
    )
    columns = ("Node", "runs in", "INT8 saves", "outputs with it alone")
    return Table(caption, columns, rows, f"What INT8 buys and costs, {name}")
