"""`edgecnn recipe schema|check`: what a recipe may say, and whether one says it."""

import json
from pathlib import Path

import click


@click.group()
def command() -> None:
    """Check recipes and print their schema."""


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of a recipe, for editors and checkers."""
    from edgecnn.core import recipe

    click.echo(json.dumps(recipe.schema(), indent=1))


@command.command("check")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Replace one value, as `run` does.")
@click.option("--json", "as_json", is_flag=True, help="Print the recipe as read, every default filled in.")
def check(recipe: Path, overrides: tuple[str, ...], *, as_json: bool) -> None:
    """Read RECIPE (a file, or the name of one that ships with edgecnn) and say whether it holds."""
    import msgspec

    from edgecnn.cli.options import parse_overrides
    from edgecnn.core.recipe import load_recipe
    from edgecnn.core.shared import recipe_path

    path = recipe_path(recipe)
    read = load_recipe(path, parse_overrides(overrides))
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(read), indent=1))
        return
    click.echo(f"{path}: a {read.task} recipe for {', '.join(read.targets)}, as it should be")
