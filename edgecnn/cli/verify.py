"""`edgecnn verify BUNDLE`."""

import json
from pathlib import Path

import click


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
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Engine threads.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def command(
    *,
    bundle: Path,
    data: Path | None,
    form: str | None,
    max_drop: float,
    rules: tuple[str, ...],
    threads: int,
    as_json: bool,
) -> None:
    """Run every artefact of BUNDLE whose engine is installed here against the golden outputs it carries.

    With --data also against labelled frames. Exit code 1: an artefact missed a gate.
    """
    from edgecnn.core.errors import GateError
    from edgecnn.verify.command import verify_bundle

    gates = verify_bundle(bundle, data, form, max_drop, threads, rules)
    if as_json:
        click.echo(
            json.dumps([{"rule": g.rule, "artefact": g.artefact, "passed": g.passed, "text": g.text} for g in gates])
        )
    else:
        for gate in gates:
            click.echo(f"{'pass' if gate.passed else 'FAIL'}  {gate.text}")
    if failed := [gate.text for gate in gates if not gate.passed]:
        raise GateError("; ".join(failed))
