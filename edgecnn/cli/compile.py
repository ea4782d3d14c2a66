"""`edgecnn compile`: an ONNX file to a bundle, a recipe up to its engines' files, a bundle's engines on the device."""

import json
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from edgecnn.cli.given_model import kind_of
from edgecnn.cli.options import onnx_options, run_recipe
from edgecnn.core.errors import InputError

_ONNX_ONLY = ("targets", "out", "precisions", "golden", "shapes", "outputs", "keep_input", "force")
_PIXELS = ("scale", "mean", "std", "color")
_RECIPE_ONLY = ("overrides",)
_FLAGS = {"targets": "--target", "overrides": "--set", "precisions": "--precision", "shapes": "--shape"}


@click.command()
@click.argument("model", metavar="MODEL.onnx|RECIPE|BUNDLE")
@click.option("--target", "targets", multiple=True, metavar="NAME", help="A target, a scheme or a board. Repeatable.")
@click.option("--out", type=click.Path(path_type=Path), metavar="BUNDLE", help="Where the bundle goes.")
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(["fp32", "fp16", "int8"]),
    help="What is made beside FP32. Repeatable.",
)
@click.option("--golden", metavar="SOURCE", help="Pictures or FILE.npz for golden vectors.  [default: random inputs]")
@onnx_options
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Engine threads.")
@click.option("--workdir", type=click.Path(path_type=Path), help="Temporary files; of a recipe, its results.")
@click.option("--force", is_flag=True, help="Replace the bundle that is at --out.")
@click.option("--on-device", is_flag=True, help="Build a BUNDLE's engines on this very device, into its cache.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Of a recipe: override a key.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def command(*, model: str, on_device: bool, as_json: bool, **given: Any) -> None:
    """Compile a finished MODEL.onnx for every --target into one bundle, or run a RECIPE up to its engines' files.

    A board stands for all the engines it runs. A model with Q/DQ pairs is compiled as it is; INT8 of a float model
    comes from `edgecnn quantize`, which needs calibration frames. With --on-device a BUNDLE's TensorRT engines are
    built on the board that is to run them.
    """
    if on_device:
        _refuse(given, (*_ONNX_ONLY, *_PIXELS, *_RECIPE_ONLY), "does not go with --on-device")
        _build_here(Path(model), given, as_json=as_json)
    elif kind_of(model) == "onnx":
        _refuse(given, _RECIPE_ONLY, f"belongs to a recipe; {model} is an ONNX file")
        _compile(Path(model), given, as_json=as_json)
    else:
        _refuse(given, (*_ONNX_ONLY, *_PIXELS), f"belongs to an ONNX file; {model} is taken for a recipe")
        run_recipe(model, given["overrides"], given["workdir"], as_json=as_json, until="compile")


def _compile(model: Path, given: dict[str, Any], *, as_json: bool) -> None:
    from edgecnn.cli.quantize import normalisation_of, one_line_of, shape_of
    from edgecnn.core.registry import Entry, import_entry

    if not given["targets"] or given["out"] is None:
        raise InputError("an ONNX file needs --target NAME and --out BUNDLE")
    if "int8" in given["precisions"]:
        targets = " ".join(f"--target {name}" for name in given["targets"])
        raise InputError(
            f"INT8 needs calibration frames: edgecnn quantize {model} {targets} --calib SOURCE --out {given['out']}"
        )
    golden = given["golden"] or ""
    if not golden:
        _refuse(given, _PIXELS, "goes with the pictures of --golden SOURCE")
    options = import_entry(Entry("edgecnn.quantize_onnx.options:Options", "quantize"), "edgecnn compile")
    compile_onnx = import_entry(Entry("edgecnn.quantize_onnx.compile_run:compile_onnx", "quantize"), "edgecnn compile")
    asked = options(
        model=model,
        calib=golden,
        shapes=dict(shape_of(text) for text in given["shapes"]),
        outputs=tuple(filter(None, (given["outputs"] or "").split(","))),
        replace=given["force"],
        min_agreement=0.0,
        quantized_too=True,
        **({"normalisation": normalisation_of({**given, "calib": golden})} if golden else {}),
        **{name: given[name] for name in ("targets", "out", "keep_input", "threads", "workdir")},
    )
    with one_line_of(model):
        outcome = compile_onnx(asked, given["precisions"])
    _show(outcome, as_json=as_json)


def _show(outcome: Any, *, as_json: bool) -> None:
    worst = {verdict.artefact: max(verdict.parity.rel_error.values()) for verdict in outcome.verified.verdicts}
    how = {one.artefact: next(iter(one.figures.values())).how for one in outcome.verified.verdicts}
    if as_json:
        rows = [
            {
                "name": one.name,
                "engine": one.engine,
                "precision": one.precision,
                "rel_error": worst[one.name],
                "how": how[one.name],
                "files": list(one.files),
                "notes": list(one.notes),
            }
            for one in outcome.artefacts
        ]
        click.echo(json.dumps({"bundle": str(outcome.bundle), "artefacts": rows, "notes": list(outcome.notes)}))
        return
    width = max(len(one.name) for one in outcome.artefacts)
    for one in outcome.artefacts:
        told = "" if how[one.name] == "measured" else f", {how[one.name]}: its engine is not on this machine"
        click.echo(f"{one.name:<{width}}  {worst[one.name]:.1e} off the model's own outputs{told}")
        for note in one.notes[1:]:
            click.echo(f"{'':<{width}}  {note}")
    for note in outcome.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"bundle  {outcome.bundle}")


def _build_here(path: Path, given: dict[str, Any], *, as_json: bool) -> None:
    import msgspec

    from edgecnn.compile.on_device import build_on_device

    # Loading finds the engine again under the same options only.
    options = {"threads": given["threads"]} if _given("threads") else {}
    built = build_on_device(path, options=options, say=lambda text: click.echo(text, err=True))
    if as_json:
        click.echo(json.dumps({"bundle": str(path), "built": [msgspec.to_builtins(one) for one in built]}))
        return
    for one in built:
        # Lists, such as layers' times, are for --json.
        told = ", ".join(f"{key} {value}" for key, value in one.facts.items() if not isinstance(value, (list, dict)))
        click.echo(f"{one.artefact}: built by {one.by}: {told}")


def _given(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT


def _refuse(given: dict[str, Any], names: tuple[str, ...], why: str) -> None:
    for name in names:
        if given[name]:
            raise InputError(f"{_FLAGS.get(name, '--' + name.replace('_', '-'))} {why}")
