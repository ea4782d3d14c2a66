"""`edgecnn compare`: whether B is faster or slower than A, from two interleaved result files."""

from pathlib import Path

import click


@click.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--artefact-a", metavar="NAME", help="Artefact of A, if it holds several.")
@click.option("--artefact-b", metavar="NAME", help="Artefact of B; that of A if B has it too.")
@click.option(
    "--scenario",
    type=click.Choice(["single_stream", "engine_only", "camera"]),
    default="single_stream",
    show_default=True,
    help="What is compared.",
)
@click.option("--allow-separate", is_flag=True, help="Compare runs that were not interleaved; the verdict says so.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    context: click.Context,
    a: Path,
    b: Path,
    *,
    artefact_a: str | None,
    artefact_b: str | None,
    scenario: str,
    allow_separate: bool,
    as_json: bool,
) -> None:
    """Judge B against A, result files of `edgecnn bench --with`.

    Exit code 1 if B is slower by more than 1 % with 95 % confidence, else 0.
    """
    import msgspec

    from edgecnn.bench.compare import compare

    found = compare(
        a, b, artefact_a=artefact_a, artefact_b=artefact_b, scenario=scenario, allow_separate=allow_separate
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    else:
        click.echo(found.text)
        for note in found.notes:
            click.echo(f"note: {note}", err=True)
    if found.regressed:
        context.exit(1)
