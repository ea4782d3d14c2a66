"""What several commands share: the options of a recipe run and of an ONNX file, and what is printed at its end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgecnn.core.errors import InputError

if TYPE_CHECKING:
    from edgecnn.pipeline import Run

F = TypeVar("F", bound=Callable[..., Any])


def recipe_options(function: F) -> F:
    """Add RECIPE, `--set`, `--workdir` and `--json` to a command."""
    for decorate in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout."),
        click.option(
            "--workdir", type=click.Path(path_type=Path), help="Where results go; default runs/<recipe's name>."
        ),
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key: train.epochs=3."),
        click.argument("recipe"),
    ):
        function = decorate(function)
    return function


def onnx_options(function: F) -> F:
    """Add what a command has to be told of somebody's ONNX file: how pixels come in, shapes, where it is cut."""
    for decorate in (
        click.option(
            "--outputs", metavar="A[,B...]", help="Cut the network at these tensors; the rest goes along in float."
        ),
        click.option(
            "--shape", "shapes", multiple=True, metavar="NAME=1,3,H,W", help="Fix an input's shape. Repeatable."
        ),
        click.option(
            "--keep-input", is_flag=True, help="The bundle's network keeps its float input, pixels stay outside."
        ),
        click.option("--color", type=click.Choice(["rgb", "bgr"]), help="The model's colour order.  [default: rgb]"),
        click.option("--std", metavar="S[,S,S]", help="Then divided by this.  [default: 1]"),
        click.option(
            "--mean", metavar="M[,M,M]", help="Then this is taken off, in the order of --color.  [default: 0]"
        ),
        click.option("--scale", type=float, help="Pixels are divided by this first.  [default: 255]"),
    ):
        function = decorate(function)
    return function


def parse_overrides(texts: tuple[str, ...]) -> dict[str, str]:
    """Return `--set` texts as dotted key to YAML text.

    Raises:
        InputError: a text has no `=`.
    """
    for text in texts:
        if "=" not in text:
            raise InputError(f"--set {text}: write KEY=VALUE, for instance --set train.epochs=3")
    return {key.strip(): value for key, _, value in (text.partition("=") for text in texts)}


def run_recipe(
    recipe: str,
    overrides: tuple[str, ...],
    workdir: Path | None,
    *,
    as_json: bool,
    start: str | None = None,
    until: str | None = None,
) -> None:
    """Run a recipe and print where its results stand; raise `GateError` when a gate failed."""
    from edgecnn import pipeline
    from edgecnn.core import shared
    from edgecnn.core.recipe import load_recipe

    loaded = load_recipe(shared.find("recipes", recipe), parse_overrides(overrides))
    place = workdir or Path("runs") / loaded.name
    show_run(pipeline.run(loaded, place, start=start, until=until), place, as_json=as_json)


def show_run(result: "Run", place: Path, *, as_json: bool) -> None:
    """Print where a run's results stand; raise `GateError` when a gate failed."""
    if as_json:
        click.echo(json.dumps(_summary(result, place)))
    else:
        _show(result, place)
    result.raise_for_gates()


def _summary(result: "Run", place: Path) -> dict[str, Any]:
    gates = [] if result.verify is None else result.verify.gates
    return {
        "workdir": str(place),
        "passed": result.verify.passed if result.verify else None,
        "gates": [
            {"artefact": gate.artefact, "rule": gate.rule, "passed": gate.passed, "text": gate.text} for gate in gates
        ],
        "stages": {name: str(path) for name, path in result.stages.items()},
    }


def _show(result: "Run", place: Path) -> None:
    for gate in result.verify.gates if result.verify else ():
        click.echo(f"{'pass' if gate.passed else 'FAIL'}  {gate.text}")
    if "report" in result.stages:
        click.echo(f"report  {place / 'report' / 'report.html'}")
    if "seal" in result.stages and (result.verify is None or result.verify.passed):
        click.echo(f"bundle  {place / 'bundle'}")
    elif "report" not in result.stages:
        name, path = list(result.stages.items())[-1]
        click.echo(f"{name}  {path}")
