"""`edgecnn eval BUNDLE|PREDICTIONS --data DIR`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgecnn.core.eval_evidence import ConditionTable, EvalResult


@click.command()
@click.argument("source", metavar="BUNDLE|PREDICTIONS", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=click.Path(path_type=Path), help="The labelled data set's folder.")
@click.option("--format", "form", default="", metavar="NAME", help="Its format.  [default: the one that recognises it]")
@click.option(
    "--labels", multiple=True, metavar="FILE", help="Only this label file, relative to the folder. Repeatable."
)
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Repeatable.  [default: all that fit]")
@click.option(
    "--gate",
    "rules",
    multiple=True,
    metavar="RULE",
    help="Bound a figure: 'recall[height<80, night] >= 0.6'. Repeatable.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write report, curves and the worst frames there.")
@click.option("--artefact", default="", help="Of a bundle: take this artefact.  [default: the best one here]")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Engine threads.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def command(
    *,
    source: Path,
    data: Path,
    form: str,
    labels: tuple[str, ...],
    metrics: tuple[str, ...],
    rules: tuple[str, ...],
    out: Path | None,
    artefact: str,
    threads: int,
    as_json: bool,
) -> None:
    """Judge a BUNDLE or PREDICTIONS against labels: every figure with its interval, by condition and size.

    PREDICTIONS are a TuSimple submission, a folder of CULane's .lines.txt, COCO's results JSON, a folder of KITTI's
    results, or results.jsonl of edgecnn infer. Lanes are judged by tusimple, culane, bdd_boundary and bdd_mask;
    objects by people, coco and, where labels tell of occlusion, kitti; a network of both by all. Exit code 1: a gate
    was missed.
    """
    import msgspec

    from edgecnn.core.errors import GateError, InputError
    from edgecnn.verify.evaluation.run import Question, evaluate

    if out is not None:
        from edgecnn.report import eval_report

        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{out}: can't be written ({error.strerror}); choose another --out") from error
    found = evaluate(Question(source, data, form, labels, metrics, rules, artefact, threads), out)
    written = eval_report.write(out, found) if out is not None else ()
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        _show(found)
        for path in written[:1]:
            click.echo(f"report  {path}")
    if failed := [gate.text for gate in found.gates if not gate.passed]:
        raise GateError("; ".join(failed))


def _show(found: "EvalResult") -> None:
    click.echo(f"{found.source} on {found.frames} frames of {found.data} ({found.form})")
    for metric, figures in found.figures.items():
        click.echo(metric)
        for name, measured in figures.items():
            lower = "  lower is better" if f"{metric}.{name}" in found.lower_is_better else ""
            click.echo(f"  {name:<24} {measured.text(4)}{lower}")
    for program, printed in found.published.items():
        click.echo(f"{program} itself: " + ", ".join(f"{name} {value:.4f}" for name, value in printed.items()))
    for table in found.conditions:
        _show_table(table)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    for gate in found.gates:
        click.echo(f"{'pass' if gate.passed else 'FAIL'}  {gate.text}")


def _show_table(table: "ConditionTable") -> None:
    click.echo(table.title)
    for row in table.rows:
        held = f"{row.frames} frames" + (f", {row.objects} objects" if row.objects else "")
        told = ", ".join(f"{name} {measured.value:.4f}" for name, measured in row.figures.items())
        click.echo(f"  {row.name:<34} {told}  ({held})")
