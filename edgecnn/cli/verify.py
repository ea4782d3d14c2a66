"""`edgecnn verify BUNDLE`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecnn.verify.command import Verified
    from edgecnn.verify.table import Row

WIDE = 160
"""Columns of a table that goes into a file or a pipe."""


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="A labelled data set: judge accuracy too.")
@click.option("--format", "form", metavar="NAME", help="The data set's format.  [default: the one that recognises it]")
@click.option(
    "--max-drop", type=float, default=1.0, show_default=True, help="Points an artefact may lose against FP32."
)
@click.option(
    "--gate",
    "rules",
    multiple=True,
    metavar="RULE",
    help="Bound a figure: 'recall[height<80, night] >= 0.6'. Repeatable.",
)
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="MODEL.onnx",
    help="What was compiled, to name the layer that departs.",
)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Engine threads.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def command(
    *,
    bundle: Path,
    data: Path | None,
    form: str | None,
    max_drop: float,
    rules: tuple[str, ...],
    source: Path | None,
    threads: int,
    as_json: bool,
) -> None:
    """Run every artefact of BUNDLE against the golden outputs it carries, and print how far each engine is off.

    One whose engine is not on this machine gets a line that says why. With --data also against labelled frames. Where
    an artefact departs beyond its bound, the first layer that does is named, if --source gives the ONNX file that it
    was compiled from or the bundle holds that. Exit code 1: an artefact missed a gate.
    """
    from edgecnn.core.errors import GateError, MissingExtraError
    from edgecnn.verify.command import verify_bundle
    from edgecnn.verify.table import none_runs

    found = verify_bundle(bundle, data, form, max_drop, threads, rules)
    rows = _searched(bundle, found.rows, source, threads)
    if as_json:
        from edgecnn.cli.parity_table import row_facts

        gates = [{"rule": g.rule, "artefact": g.artefact, "passed": g.passed, "text": g.text} for g in found.gates]
        click.echo(json.dumps({"artefacts": [row_facts(row) for row in rows], "gates": gates}))
    else:
        _show(rows, found)
    if failed := [gate.text for gate in found.gates if not gate.passed]:
        raise GateError("; ".join(failed))
    if why := none_runs(rows):
        raise MissingExtraError(f"{bundle}: {why}")


def _show(rows: "Sequence[Row]", found: "Verified") -> None:
    from rich.console import Console

    from edgecnn.cli.parity_table import parity_table, remarks

    Console(width=None if sys.stdout.isatty() else WIDE).print(parity_table(rows, found.figure))
    for line in remarks(rows):
        click.echo(line)
    for gate in found.gates:
        click.echo(f"{'pass' if gate.passed else 'FAIL'}  {gate.text}")


def _searched(bundle: Path, rows: "Sequence[Row]", source: Path | None, threads: int) -> "list[Row]":
    """Return the rows with the first departing layer named in those that miss their bound."""
    from dataclasses import replace

    from edgecnn.core.errors import MissingExtraError, line_of
    from edgecnn.core.registry import Entry, import_entry

    if all(row.parity is None or row.parity.passed for row in rows):
        return list(rows)
    try:
        departs = import_entry(Entry("edgecnn.quantize_onnx.departure:departs", "quantize"), "naming the layer")
    except MissingExtraError as error:
        # A device that has no onnx still verifies.
        return [replace(row, departs=line_of(error)) if row.passed is False and row.parity else row for row in rows]
    return [
        replace(row, departs=departs(bundle, row.artefact, source, threads))
        if row.parity is not None and not row.parity.passed
        else row
        for row in rows
    ]
