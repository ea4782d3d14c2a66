"""`edgecnn run RECIPE`."""

from pathlib import Path

import click

from edgecnn.cli.options import recipe_options, run_recipe


@click.command()
@recipe_options
@click.option("--from", "start", metavar="STAGE", help="Make this stage and the later ones anew.")
@click.option("--until", metavar="STAGE", help="Stop after this stage.")
def command(
    *,
    recipe: str,
    overrides: tuple[str, ...],
    workdir: Path | None,
    start: str | None,
    until: str | None,
    as_json: bool,
) -> None:
    """Run RECIPE (a file, or the name of one that comes with edgecnn) from data to a proven bundle.

    A run that was cut off goes on where it stopped. Exit code 1: it ran and a gate failed.
    """
    run_recipe(recipe, overrides, workdir, as_json=as_json, start=start, until=until)
