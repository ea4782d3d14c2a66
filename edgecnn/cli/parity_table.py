"""The parity table of a bundle, for the terminal and as JSON."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from edgecnn.verify.table import Row


def parity_table(rows: Sequence["Row"], figure: str) -> Table:
    """Return a line an artefact; `figure` is what the task is judged by, empty where it has none."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    heads = ["artefact", "engine", "precision", "max error", "relative", "bound", "agrees with FP32"]
    for head in [*heads, *([figure, "lost"] if figure else [])]:
        left = head in {"artefact", "engine", "precision"}
        table.add_column(Text(head), justify="left" if left else "right", overflow="fold")
    for row in rows:
        cells = [Text(row.artefact), Text(row.engine), Text(row.precision), *_errors(row)]
        cells += [Text(_figure(row)), Text(_lost(row))] if figure else []
        table.add_row(*cells)
    return table


def row_facts(row: "Row") -> dict[str, Any]:
    """Return a row as JSON values."""
    import msgspec

    output, worst = row.worst
    return {
        "artefact": row.artefact,
        "engine": row.engine,
        "precision": row.precision,
        "runs_here": not row.absent,
        "why_not": row.absent or row.failed or None,
        "passed": row.passed,
        "max_error": row.max_error,
        "rel_error": worst if row.parity is not None else None,
        "worst_output": output or None,
        "tolerance": row.parity.tolerance if row.parity is not None else None,
        "agreement": row.agreement,
        "figure": msgspec.to_builtins(row.figure),
        "drop": msgspec.to_builtins(row.drop),
        "figure_from": row.source or None,
        "departs_at": row.departs or None,
    }


def remarks(rows: Sequence["Row"]) -> list[str]:
    """Return what the table has no room for: why an artefact did not run, and where one departs."""
    found = [f"{row.artefact}: not run here: {row.absent}" for row in rows if row.absent]
    return found + [f"{row.artefact}: {row.departs}" for row in rows if row.departs]


def _errors(row: "Row") -> list[Text]:
    if row.parity is None or row.max_error is None or row.agreement is None:
        return [Text("not here" if row.absent else "failed", style="" if row.absent else "red"), *(Text("-"),) * 3]
    style = "" if row.passed else "red"
    return [
        Text(f"{row.max_error:.2g}"),
        Text(f"{row.worst[1]:.2g}", style=style),
        Text(f"{row.parity.tolerance:.2g}"),
        Text(f"{row.agreement:.2f} %"),
    ]


def _figure(row: "Row") -> str:
    return "-" if row.figure is None else f"{row.figure.value:.4f}{' (stored)' if row.source == 'stored' else ''}"


def _lost(row: "Row") -> str:
    return "-" if row.drop is None else f"{row.drop.value:.2f}"
