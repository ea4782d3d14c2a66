"""`edgecnn compress`: any model to the smallest and fastest bundle that keeps what it may lose."""

import shutil
from pathlib import Path
from typing import Any

import click

from edgecnn.cli.given_model import given_recipe, kind_of
from edgecnn.cli.options import show_run
from edgecnn.cli.prune import compress_module
from edgecnn.cli.pruning_options import module_options, new_folder_at
from edgecnn.core.errors import InputError

LABELLED_DROP, AGREEMENT_DROP = 1.0, 2.0
"""Points that may be lost where nobody says: of the task's figure, or of agreement with the original."""
PRUNED = 0.5
"""The part of what may be lost that pruning may take; quantization has what is left, and the sum is gated."""


@click.command()
@click.argument("model", metavar="RECIPE|RUN|MODEL.onnx|package.module:function")
@click.option("--target", "targets", multiple=True, metavar="NAME", help="A target, a scheme or a board. Repeatable.")
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 100),
    metavar="POINTS",
    help="What all of it may lose.  [default: 1 of the task's figure, or 2 of agreement without labels]",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="BUNDLE", help="Where the bundle goes.")
@click.option("--finetune", type=click.IntRange(0), default=4, show_default=True, help="Epochs after pruning.")
@click.option("--minutes", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Longest INT8 search.")
@click.option("--seconds", type=click.FloatRange(0.5), default=5.0, show_default=True, help="Timing of an artefact.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Of a recipe: override a key.")
@click.option("--workdir", type=click.Path(path_type=Path), help="Of a recipe: where its results are.")
@module_options
@click.option("--force", is_flag=True, help="Replace what is at --out, and at --out with -torch.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def command(*, model: str, **given: Any) -> None:
    """Prune and quantize MODEL for the --target as far as --max-drop allows, and prove the bundle.

    A recipe's own steps are carried out where it has some, else it is pruned, recovered and quantized. An ONNX file
    can't be trained, so it is quantized only. A torch module of your own needs --calib and --shape; it is compared with
    itself, and its pruned weights are left beside the bundle in a folder of the same name with -torch.

    Exit code 1: a gate failed.
    """
    if given["out"] is None:
        raise InputError("compress needs --out BUNDLE")
    if given["out"].exists() and not given["force"]:
        raise InputError(f"{given['out']}: is there already; choose another name or give --force")
    {"onnx": _onnx, "module": _module, "recipe": _recipe}[kind_of(model)](model, given)


def _onnx(model: str, given: dict[str, Any]) -> None:
    if given["trust_code"] or given["overrides"]:
        raise InputError(f"--{'trust-code' if given['trust_code'] else 'set'} does not go with an ONNX file")
    allowed = AGREEMENT_DROP if given["max_drop"] is None else given["max_drop"]
    _quantize(model, given, 100 - allowed)


def _module(model: str, given: dict[str, Any]) -> None:
    from edgecnn.core.compression import FinetuneStep, PruneStep
    from edgecnn.core.recipe import CompressStep

    if given["overrides"]:
        raise InputError(f"--set belongs to a recipe; {model} is code")
    folder = new_folder_at(given["out"].with_name(f"{given['out'].name}-torch"), replace=given["force"], what=model)
    allowed = AGREEMENT_DROP if given["max_drop"] is None else given["max_drop"]
    here = _runs_here(given)
    steps = [CompressStep(prune=PruneStep(max_drop=PRUNED * allowed, target=here, unhelpful="skip"))]
    if given["finetune"]:
        steps.append(CompressStep(finetune=FinetuneStep(epochs=given["finetune"])))
    result = compress_module(model, given, tuple(steps), (here,), folder)
    # A network that was left as it was has lost nothing, and no drop is measured for it.
    drop = result.steps[-1].result.drop
    lost = max(0.0, drop.value) if drop is not None else 0.0
    _show(result)
    _quantize(str(folder / "model.onnx"), given, 100 - max(allowed - lost, 0.0))


def _show(result: Any) -> None:
    """Print the way on stderr: stdout is the bundle's."""
    from contextlib import redirect_stdout
    from sys import stderr

    from edgecnn.cli.way_table import show_way

    with redirect_stdout(stderr):
        show_way(result)


def _runs_here(given: dict[str, Any]) -> str:
    """Return the target, of those asked for, that pruning is timed in; where none runs here, one that does."""
    from edgecnn.core.destination import destinations
    from edgecnn.core.registry import TARGETS
    from edgecnn.runtime.here import why_not_here

    if not given["targets"]:
        raise InputError("name at least one --target")
    places = [place for name in given["targets"] for place in destinations(name)]
    found = [place.target for place in places if place.target is not None and not why_not_here(place.target)]
    if not found:
        click.echo(f"none of the targets runs here: pruning is timed in {next(iter(TARGETS))} instead", err=True)
    return found[0] if found else next(iter(TARGETS))


def _quantize(model: str, given: dict[str, Any], floor: float) -> None:
    from edgecnn.cli.quantize import command as quantize

    words = [model, "--precision", "mixed", "--min-agreement", f"{floor:g}", "--out", str(given["out"])]
    for name in ("calib", "scale", "mean", "std", "color", "threads", "minutes", "seconds", "workdir", "frames"):
        if given[name] is not None:
            words += [f"--{name}", str(given[name])]
    words += [word for target in given["targets"] for word in ("--target", target)]
    words += [word for shape in given["shapes"] for word in ("--shape", shape)]
    words += [f"--{name}" for name in ("force",) if given[name]] + (["--json"] if given["as_json"] else [])
    quantize.main(words, standalone_mode=False)


def _recipe(model: str, given: dict[str, Any]) -> None:
    from edgecnn import pipeline

    for name in ("calib", "shapes", "scale", "mean", "std", "color", "trust_code"):
        if given[name]:
            raise InputError(f"--{name.rstrip('s').replace('_', '-')} is not for a recipe, which says that itself")
    recipe, workdir = given_recipe(model, given["overrides"], given["workdir"])
    recipe = _asked(recipe, given)
    result = pipeline.run(recipe, workdir)
    show_run(result, workdir, as_json=given["as_json"])
    from edgecnn.core import atomic

    with atomic.new_folder(given["out"]) as folder:
        shutil.copytree(workdir / "bundle", folder, dirs_exist_ok=True)
    if not given["as_json"]:
        click.echo(f"bundle  {given['out']}")


def _asked(recipe: Any, given: dict[str, Any]) -> Any:
    """Return the recipe with what the command line asks for: targets, steps where it has none, and what may be lost."""
    from msgspec.structs import replace

    from edgecnn.core.compression import FinetuneStep, PruneStep
    from edgecnn.core.destination import destinations
    from edgecnn.core.recipe import CompressStep, QuantizeSection

    if given["targets"]:
        places = [place for name in given["targets"] for place in destinations(name)]
        here = tuple(dict.fromkeys(place.target for place in places if place.target is not None))
        if not here:
            raise InputError(f"{', '.join(given['targets'])}: edgecnn can't compile a recipe's network for that yet")
        recipe = replace(recipe, targets=here)
    allowed = LABELLED_DROP if given["max_drop"] is None else given["max_drop"]
    if not recipe.compress:
        steps = [CompressStep(prune=PruneStep(max_drop=PRUNED * allowed, unhelpful="skip"))]
        steps += [CompressStep(finetune=FinetuneStep(epochs=given["finetune"]))] if given["finetune"] else []
        recipe = replace(recipe, compress=tuple(steps))
    pruned = any(step.name != "qat" for step in recipe.compress)
    left = (1 - PRUNED) * allowed if pruned else allowed
    section = replace(recipe.quantize or QuantizeSection(), precision="mixed", max_drop=left, minutes=given["minutes"])
    return replace(recipe, quantize=section, verify=replace(recipe.verify, max_drop=allowed))
