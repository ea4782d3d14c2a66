"""`edgecnn quantize`: a recipe up to INT8, a finished ONNX file to a bundle, or a check of a quantized file."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgecnn.cli.options import onnx_options, run_recipe
from edgecnn.core.errors import EdgecnnError, GateError, InputError, StageError

if TYPE_CHECKING:
    from edgecnn.core.bundle import Artefact

_RECIPE_ONLY = ("overrides",)
_LABELS_ONLY = ("task", "form", "max_drop", "decode")
_ONNX_ONLY = ("targets", "calib", "out", "replay", "replay_from", "plain", "outputs", "labels", *_LABELS_ONLY)
SUFFIX = ".onnx"
AGREEMENT = "agreement"
TRACE = "EDGECNN_TRACE"


@click.command()
@click.argument("model", metavar="MODEL.onnx|RECIPE")
@click.option("--target", "targets", multiple=True, metavar="NAME", help="A target, a scheme or a board. Repeatable.")
@click.option("--calib", metavar="SOURCE", help="Pictures' folder, video, or FILE.npz with an array for each input.")
@click.option("--out", type=click.Path(path_type=Path), metavar="BUNDLE", help="Where the bundle goes.")
@click.option(
    "--precision",
    type=click.Choice(["int8", "mixed", "fp16"]),
    default="mixed",
    show_default=True,
    help="INT8 where it pays and keeps the floor (a search), wherever the scheme takes it, or nowhere.",
)
@onnx_options
@click.option(
    "--min-agreement",
    type=click.FloatRange(0, 100),
    default=98.0,
    show_default=True,
    help="Percent in which INT8 has to decide what FP32 decides, on frames held back.",
)
@click.option("--labels", type=click.Path(path_type=Path), metavar="DATASET", help="Judge by labelled frames instead.")
@click.option("--task", metavar="NAME", help="With --labels: what the model is for.")
@click.option(
    "--format",
    "form",
    metavar="NAME",
    help="With --labels: the data set's format.  [default: the one that recognises it]",
)
@click.option("--max-drop", type=click.FloatRange(0), help="With --labels: points INT8 may lose.  [default: 0.3]")
@click.option("--decode", multiple=True, metavar="KEY=VALUE", help="With --labels: of the task's codec. Repeatable.")
@click.option(
    "--ranges",
    type=click.Choice(["auto", "minmax", "percentile", "mse", "entropy"]),
    default="auto",
    show_default=True,
    help="How the ranges of activations are chosen.",
)
@click.option("--keep-float", multiple=True, metavar="PATTERN", help="Nodes that stay in float, by name. Repeatable.")
@click.option("--plain", is_flag=True, help="With --precision int8: no equalization, no learned rounding, MSE ranges.")
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    metavar="BUNDLE|quantize.json",
    help="Take layers' precision and ranges from an earlier run, without a search.",
)
@click.option("--replay-from", metavar="NAME", help="With --replay: of which artefact or target.")
@click.option("--frames", type=click.IntRange(1), default=300, show_default=True, help="Most frames read from --calib.")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Engine threads.")
@click.option(
    "--minutes", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Longest search, a target."
)
@click.option("--seconds", type=click.FloatRange(0.5), default=5.0, show_default=True, help="Timing of an artefact.")
@click.option("--workdir", type=click.Path(path_type=Path), help="Temporary files; of a recipe, its results.")
@click.option("--force", is_flag=True, help="Replace the bundle that is at --out.")
@click.option("--check", is_flag=True, help="Only say which rules of --target's scheme a quantized file breaks.")
@click.option("--scheme", metavar="NAME", help="With --check: the scheme.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Of a recipe: override a key.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def command(*, model: str, check: bool, as_json: bool, **given: Any) -> None:
    """Quantize a finished MODEL.onnx for the --target and prove it against FP32, or run a RECIPE up to INT8.

    The bundle holds each engine's FP32 and INT8, how far they agree on frames held back, and how long each takes.
    What misses --min-agreement is left out, and a line says so; where --labels are there, --max-drop of the --task's
    own figure decides. Pictures (--calib) become uint8 frames, with --scale, --mean, --std and --color baked into the
    network; arrays of an .npz file are fed as they are.

    Exit code 0: the bundle is there and keeps the floor. 1: a gate failed. 2: bad input.
    """
    if check:
        _check(Path(model), given, as_json=as_json)
        return
    if Path(model).suffix.lower() != SUFFIX:
        _refuse(given, _ONNX_ONLY, f"belongs to an {SUFFIX} file; {model} is taken for a recipe")
        run_recipe(model, given["overrides"], given["workdir"], as_json=as_json, until="quantize")
        return
    _check_modes(given)
    _refuse(given, _RECIPE_ONLY, f"belongs to a recipe; {model} is an ONNX file")
    _quantize(Path(model), given, as_json=as_json)


def _quantize(model: Path, given: dict[str, Any], *, as_json: bool) -> None:
    from edgecnn.core.registry import Entry, import_entry

    if not given["targets"] or given["calib"] is None or given["out"] is None:
        raise InputError("an ONNX file needs --target NAME, --calib SOURCE and --out BUNDLE")
    options = import_entry(Entry("edgecnn.quantize_onnx.options:Options", "quantize"), "edgecnn quantize")
    run = import_entry(Entry("edgecnn.quantize_onnx.run:run", "quantize"), "edgecnn quantize")
    taken = ("targets", "calib", "out", "precision", "keep_input", "min_agreement", "keep_float", "frames", "plain")
    decisions = None
    if given["replay"] is not None:
        read = import_entry(Entry("edgecnn.quantize_onnx.replay:read_decisions", "quantize"), "--replay")
        decisions = read(given["replay"], given["replay_from"])
    asked = options(
        model=model,
        ranges=_ranges(given),
        replay=decisions,
        **{name: given[name] for name in (*taken, "threads", "minutes", "seconds", "workdir")},
        normalisation=normalisation_of(given),
        shapes=dict(shape_of(text) for text in given["shapes"]),
        outputs=tuple(filter(None, (given["outputs"] or "").split(","))),
        labels=_labels(given),
        replace=given["force"],
    )
    with one_line_of(model):
        outcome = run(asked)
    if as_json:
        click.echo(json.dumps(_summary(outcome)))
        return
    _show_drift(outcome)
    for artefact in outcome.artefacts:
        click.echo(_line(artefact, outcome))
    for note in outcome.notes:
        click.echo(f"note: {note}", err=True)
    if outcome.report is not None:
        click.echo(f"report  {outcome.report / 'report.html'}")
    click.echo(f"bundle  {outcome.bundle}")


@contextmanager
def one_line_of(model: Path) -> Iterator[None]:
    """Make one line of what no part of edgecnn foresaw in a stranger's model, unless the whole trace is asked for."""
    try:
        yield
    except (EdgecnnError, click.ClickException):
        raise
    except Exception as error:
        if os.environ.get(TRACE):
            raise
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise StageError(f"{model}: edgecnn can't cope with this model ({what}); {TRACE}=1 shows where") from error


def normalisation_of(given: dict[str, Any]) -> Any:
    """Return how pixels become the input; what was not given is taken as the most usual and said."""
    from edgecnn.data.calibration import is_arrays
    from edgecnn.data.picture_input import Normalisation

    scale, mean, std = given["scale"], _numbers("mean", given["mean"], "0"), _numbers("std", given["std"], "1")
    names = ("scale", "mean", "std", "color")
    if is_arrays(given["calib"]):
        if told := [f"--{name}" for name in names if given[name] is not None]:
            raise InputError(f"{told[0]} is for pictures; the arrays of {given['calib']} are fed as they are")
        return Normalisation()
    defaults = {"scale": "255", "mean": "0", "std": "1", "color": "rgb"}
    if missing := ", ".join(f"--{name} {defaults[name]}" for name in names if given[name] is None):
        click.echo(f"not given, so taken to be {missing}; if the model was trained otherwise, say so", err=True)
    if scale is not None and scale <= 0:
        raise InputError(f"--scale {scale:g}: must be above 0")
    if min(std) <= 0:
        raise InputError(f"--std {given['std']}: must be above 0")
    return Normalisation(255.0 if scale is None else scale, mean, std, given["color"] or "rgb")


def _labels(given: dict[str, Any]) -> Any:
    """Return what decides by labels; None where there are none."""
    from edgecnn.core.registry import Entry, import_entry

    if given["labels"] is None:
        told = {name: given[name] if given[name] != 0 else True for name in _LABELS_ONLY}
        _refuse(told, _LABELS_ONLY, "goes with --labels DATASET")
        return None
    if given["task"] is None:
        raise InputError("--labels needs --task NAME: what the model is for")
    labels = import_entry(Entry("edgecnn.quantize_onnx.options:Labels", "quantize"), "--labels")
    asked = {name: given[name] for name in ("form", "max_drop") if given[name] is not None}
    return labels(task=given["task"], root=given["labels"], decode=dict(map(_parameter, given["decode"])), **asked)


def _parameter(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InputError(f"--decode {text}: write KEY=VALUE")
    for number in (int, float):
        try:
            return key, number(value)
        except ValueError:
            continue
    return key, value


def _numbers(name: str, text: str | None, default: str) -> tuple[float, ...]:
    import math

    try:
        found = tuple(float(part) for part in (text or default).split(","))
    except ValueError:
        found = ()
    if len(found) not in {1, 3} or not all(map(math.isfinite, found)):
        raise InputError(f"--{name} {text}: write one number, or three separated by commas")
    return found


def shape_of(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the input and the shape that a `--shape` gives."""
    name, equals, sizes = text.rpartition("=")
    parts = sizes.split(",")
    if not equals or not name or not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise InputError(f"--shape {text}: write NAME=1,3,HEIGHT,WIDTH")
    return name, tuple(int(part) for part in parts)


def _refuse(given: dict[str, Any], names: tuple[str, ...], why: str) -> None:
    flags = {"targets": "--target", "overrides": "--set", "form": "--format"}
    for name in names:
        if given[name]:
            raise InputError(f"{flags.get(name, '--' + name.replace('_', '-'))} {why}")


def _check_modes(given: dict[str, Any]) -> None:
    """Refuse ways to quantize that exclude one another."""
    precision, replay = given["precision"], given["replay"]
    if given["plain"] and replay is None and precision != "int8":
        raise InputError(f"--plain is for --precision int8, not {precision}: it quantizes all, without a search")
    if replay is not None and precision == "fp16":
        raise InputError("--replay takes over INT8 decisions; leave --precision fp16 out")
    if replay is None and given["replay_from"] is not None:
        raise InputError("--replay-from says which record of --replay BUNDLE; give that too")


def _ranges(given: dict[str, Any]) -> str:
    """Return how ranges are chosen; plain quantization does not try them unless asked to."""
    asked = click.get_current_context().get_parameter_source("ranges") is not ParameterSource.DEFAULT
    return "mse" if given["plain"] and not asked else str(given["ranges"])


def _check(model: Path, given: dict[str, Any], *, as_json: bool) -> None:
    from edgecnn.core.destination import destinations
    from edgecnn.core.registry import Entry, choose, import_entry, known

    names = [place.scheme for name in given["targets"] for place in destinations(name)]
    names += [given["scheme"]] if given["scheme"] else []
    if not names:
        raise InputError("--check needs --scheme NAME or --target NAME")
    for name in names:
        choose("scheme", known("scheme"), name)
    check_file = import_entry(Entry("edgecnn.compress.quantize.check_file:check_file", "quantize"), "--check")
    refused_by = import_entry(Entry("edgecnn.compile.tensorrt.importer:refused_by", "quantize"), "--check")
    found = {name: [*check_file(model, name), *refused_by(model, name)] for name in dict.fromkeys(names)}
    if as_json:
        click.echo(json.dumps({"model": str(model), "violations": found}))
    else:
        for name, sentences in found.items():
            click.echo(f"{name}: " + ("keeps every rule" if not sentences else f"{len(sentences)} rules broken"))
            for sentence in sentences:
                click.echo(f"  {sentence}")
    if broken := [name for name, sentences in found.items() if sentences]:
        raise GateError(f"{model}: breaks the scheme {', '.join(broken)}")


def _line(artefact: "Artefact", outcome: Any) -> str:
    agreement = artefact.accuracy[AGREEMENT]
    latency = artefact.latency.get("engine_only.p50_ms")
    timed = f"{latency.value:.2f} ms" if latency else "not timed here"
    gain = _gain(artefact, outcome)
    faster = f", {gain.value:.2f}x FP32" if gain is not None else ""
    how = "" if agreement.how == "measured" else f", {agreement.how}"
    lost = artefact.accuracy.get("drop") if outcome.verified.figure != AGREEMENT else None
    drop = f"; loses {lost.text(2)} of {outcome.verified.figure}" if lost is not None else ""
    return f"{artefact.name:<24} {timed}{faster}; agreement {agreement.value:.2f} %{drop}{how}"


def _show_drift(outcome: Any) -> None:
    from rich.console import Console

    from edgecnn.cli.drift_table import drift_table

    console = Console()
    for model in outcome.quantized:
        if model.drift is not None:
            console.print(f"{model.file.removesuffix('.onnx')}: ", end="", markup=False, highlight=False)
            console.print(drift_table(model.drift))


def _gain(artefact: "Artefact", outcome: Any) -> Any:
    return next(
        (
            ratio
            for name, ratio in outcome.benched.ratios.items()
            if name.endswith(f" / {artefact.name}, engine only")
            and name.startswith(f"{artefact.name.rpartition('-')[0]}-")
        ),
        None,
    )


def _summary(outcome: Any) -> dict[str, Any]:
    import msgspec

    return {
        "bundle": str(outcome.bundle),
        "report": None if outcome.report is None else str(outcome.report),
        "artefacts": [
            {
                "name": artefact.name,
                "engine": artefact.engine,
                "precision": artefact.precision,
                "agreement": msgspec.to_builtins(artefact.accuracy[AGREEMENT]),
                "drop": msgspec.to_builtins(artefact.accuracy.get("drop")),
                "latency_ms": msgspec.to_builtins(artefact.latency.get("engine_only.p50_ms")),
                "speedup": msgspec.to_builtins(_gain(artefact, outcome)),
                "notes": list(artefact.notes),
            }
            for artefact in outcome.artefacts
        ],
        "quantized": msgspec.to_builtins(outcome.quantized),
        "notes": list(outcome.notes),
    }
