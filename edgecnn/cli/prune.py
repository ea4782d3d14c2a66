"""`edgecnn prune`: fewer channels for the clock of a target, of a recipe's network or a torch module of one's own."""

import json
from pathlib import Path
from typing import Any

import click

from edgecnn.cli.given_model import given_recipe, kind_of
from edgecnn.cli.pruning_options import GOALS, module_options, new_folder_at, shape_of, steps_of
from edgecnn.core.errors import InputError


@click.command()
@click.argument("model", metavar="RECIPE|RUN|package.module:function")
@click.option("--speedup", type=float, metavar="X", help="Until it is X times as fast.")
@click.option("--latency-ms", type=float, metavar="MS", help="Until an inference takes MS.")
@click.option("--max-drop", type=float, metavar="POINTS", help="As far as it loses no more (hundredths of the figure).")
@click.option("--criterion", default="taylor", show_default=True, help="What a channel is worth.")
@click.option("--target", metavar="NAME", help="The engine that is timed.  [default: the recipe's first, or openvino]")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "int8"]),
    default="fp32",
    show_default=True,
    help="What is timed: int8 if that is what will run.",
)
@click.option(
    "--times",
    default="",
    metavar="FILE|DEVICE/ENGINE",
    help="Of a device that is not here: layer times measured there, or its data sheet. Speedups are predictions then.",
)
@click.option(
    "--measure-layers",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Only time the network's layers on this machine and write FILE, for --times on another.",
)
@click.option("--steps", type=click.IntRange(1), default=3, show_default=True, help="Rounds of pruning and recovery.")
@click.option("--epochs", type=click.IntRange(0), default=1, show_default=True, help="Recovery after each round.")
@click.option("--finetune", type=click.IntRange(0), default=4, show_default=True, help="Epochs at the end.")
@click.option(
    "--batches", type=click.IntRange(1), default=16, show_default=True, help="Batches channels are judged on."
)
@click.option("--keep", multiple=True, metavar="PATTERN", help="Layers that are not pruned, by name. Repeatable.")
@click.option(
    "--unhelpful",
    type=click.Choice(["stop", "skip", "try"]),
    default="stop",
    show_default=True,
    help="Where measurement shows beforehand that pruning can't reach the goal.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Of a recipe: override a key.")
@click.option("--workdir", type=click.Path(path_type=Path), help="Of a recipe: where its results are.")
@module_options
@click.option("--out", type=click.Path(path_type=Path), help="Of a module: the folder that is written.")
@click.option("--force", is_flag=True, help="Replace what is at --out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def command(*, model: str, as_json: bool, **given: Any) -> None:
    """Prune a network until it is as fast as it shall be in its target's engine, measured there.

    A RECIPE (or the work directory or weights of a RUN) learns back from its labels and from the unpruned network. A
    torch module of your own needs --calib and --shape, and learns back from the unpruned network alone. Without a goal
    a recipe's own steps are carried out.

    Exit code 1: pruning can't reach the goal, said before any training is spent.
    """
    from edgecnn.cli.way_table import show_way

    kind = kind_of(model)
    if kind == "onnx":
        raise InputError(f"{model}: pruning trains, and a finished ONNX file can't be trained; quantize it instead")
    if given["measure_layers"]:
        _measure(model, kind, given)
        return
    result, place = (_module if kind == "module" else _recipe)(model, given)
    if as_json:
        import msgspec

        click.echo(json.dumps({"result": str(place), "compress": msgspec.to_builtins(result)}))
        return
    show_way(result)
    click.echo(f"weights  {place}")


def _recipe(model: str, given: dict[str, Any]) -> tuple[Any, Path]:
    from msgspec.structs import replace

    from edgecnn import pipeline
    from edgecnn.core import evidence
    from edgecnn.core.compress_evidence import COMPRESSION, CompressResult
    from edgecnn.core.registry import TARGETS, choose

    for name in ("calib", "shapes", "scale", "mean", "std", "color", "out"):
        if given[name]:
            raise InputError(f"--{name.rstrip('s')} goes with package.module:function; a recipe says that itself")
    recipe, workdir = given_recipe(model, given["overrides"], given["workdir"])
    if given["target"]:
        choose("target", TARGETS, given["target"])
    if any(given[name] is not None for name in GOALS):
        recipe = replace(recipe, compress=steps_of(given, given["target"] or ""))
    elif not recipe.compress:
        raise InputError(f"{model}: has no compress steps; say how far to prune: --speedup, --latency-ms or --max-drop")
    stages = pipeline.run(recipe, workdir, until="compress").stages
    return evidence.read(stages["compress"] / COMPRESSION, CompressResult), stages["compress"]


def _module(model: str, given: dict[str, Any]) -> tuple[Any, Path]:
    from edgecnn.core.registry import TARGETS, choose

    if given["overrides"] or given["workdir"]:
        raise InputError(f"--{'set' if given['overrides'] else 'workdir'} belongs to a recipe; {model} is code")
    target = given["target"] or next(iter(TARGETS))
    choose("target", TARGETS, target)
    out = new_folder_at(given["out"], replace=given["force"], what=model)
    return compress_module(model, given, steps_of(given, target), (target,), out), out


def _measure(model: str, kind: str, given: dict[str, Any]) -> None:
    """Write the times of the network's layers here."""
    import msgspec

    from edgecnn.core import atomic
    from edgecnn.core.registry import TARGETS, Entry, choose, import_entry

    home = "edgecnn.compress_model.measure_layers"
    if kind == "module":
        target = given["target"] or next(iter(TARGETS))
        choose("target", TARGETS, target)
        of_module = import_entry(Entry(f"{home}:layers_of_module", "compress"), "edgecnn prune")
        shapes = dict(shape_of(text) for text in given["shapes"])
        times = of_module(model, shapes, target, given["threads"], given["precision"], trust_code=given["trust_code"])
    else:
        recipe, _ = given_recipe(model, given["overrides"], given["workdir"])
        target = given["target"] or recipe.targets[0]
        choose("target", TARGETS, target)
        times = import_entry(Entry(f"{home}:layers_of_recipe", "compress"), "edgecnn prune")(
            recipe, target, given["precision"]
        )
    file = given["measure_layers"]
    atomic.write_bytes(file, msgspec.json.format(msgspec.json.encode(times), indent=1))
    click.echo(f"{len(times.records)} layers in {times.place.text()}: {file}")


def compress_module(
    model: str, given: dict[str, Any], steps: tuple[Any, ...], targets: tuple[str, ...], out: Path
) -> Any:
    """Compress a torch module of the user's own into the folder `out` and return its `CompressResult`."""
    from edgecnn.cli.quantize import normalisation_of
    from edgecnn.core.registry import Entry, import_entry

    if given["calib"] is None:
        raise InputError(f"{model} needs --calib SOURCE: frames such as it will see")
    options = import_entry(Entry("edgecnn.compress_model.module_run:ModuleOptions", "compress"), "edgecnn prune")
    run = import_entry(Entry("edgecnn.compress_model.module_run:run", "compress"), "edgecnn prune")
    return run(
        options(
            name=model,
            trust_code=given["trust_code"],
            calib=given["calib"],
            shapes=dict(shape_of(text) for text in given["shapes"]),
            normalisation=normalisation_of(given),
            steps=steps,
            targets=targets,
            out=out,
            frames=given["frames"],
            threads=given["threads"],
        )
    )
