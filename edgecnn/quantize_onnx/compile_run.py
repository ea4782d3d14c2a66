"""`edgecnn compile MODEL.onnx`: one bundle with the model compiled for every target, each proven where it can run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgecnn.core.bundle import Artefact, open_bundle
from edgecnn.core.destination import Destination
from edgecnn.core.errors import InputError, StageError
from edgecnn.core.evidence import BenchResult, VerifyResult
from edgecnn.core.workdir import temporary
from edgecnn.quantize_onnx.boards import able, named
from edgecnn.quantize_onnx.draft import Made, Steps, add, check_out, judged, publish, sealed
from edgecnn.quantize_onnx.options import Options
from edgecnn.quantize_onnx.source import DRAWN_FRAMES, Source, open_source_model
from edgecnn.quantize_onnx.variants import float_variants, half_variants

FloatPrecision = Literal["fp32", "fp16"]


@dataclass(frozen=True, slots=True)
class Compiled:
    """Where the bundle stands, what was found of its artefacts, and what the user must know, a line each."""

    bundle: Path
    verified: VerifyResult
    artefacts: tuple[Artefact, ...]
    notes: tuple[str, ...]


def compile_onnx(options: Options, precisions: tuple[FloatPrecision, ...] = ("fp32",)) -> Compiled:
    """Compile a finished model for each of its targets; a board stands for every engine it runs.

    FP32 is always among the artefacts: the others are compared with it. A model that came with Q/DQ pairs is compiled
    as it is, to INT8. What an engine refuses is left out, and a note says so. Whatever goes wrong, nothing new is at
    `options.out`.

    Raises:
        InputError: model, targets, frames or output can't be used, or a quantized model shall be in FP16.
        EngineError: no engine asked for takes the model.
        GateError: an engine does not give in FP32 what the model gives.
    """
    notes: list[str] = []
    places = _compilable(named(options), notes)
    check_out(options)
    steps = Steps(4)
    with temporary(options.out, options.workdir) as work:
        steps.say(f"prepare {options.model.name}")
        source = open_source_model(options, work)
        made = Made(notes=[*notes, *source.notes])
        places = able(source, places, "int8" if source.quantized else "fp32", made.notes)
        if not options.calib:
            made.notes.append(
                f"golden vectors and agreement are from {DRAWN_FRAMES} inputs drawn at random; give frames such as the "
                "model will see with --golden"
            )
        add(made, float_variants(source, places, work, made.notes))
        if "fp16" in precisions:
            _halve(source, places, work, made)
        steps.say("compile")
        draft, verified = judged(source, made, work, steps)
        steps.say("seal")
        publish(sealed(made, draft, verified, BenchResult("", {}, ()), work), options.out)
        artefacts = open_bundle(options.out.resolve()).manifest.artefacts
    return Compiled(options.out, verified, artefacts, tuple(made.notes))


def _compilable(places: Sequence[Destination], notes: list[str]) -> list[Destination]:
    """Return the places that edgecnn has a compiler for; the others go into `notes`."""
    missing = [place for place in places if place.target is None]
    told = f"edgecnn has no compiler for {', '.join(place.engine for place in missing)} yet"
    if len(missing) == len(places):
        raise InputError(told)
    notes += [told] if missing else []
    return [place for place in places if place.target is not None]


def _halve(source: Source, places: Sequence[Destination], work: Path, made: Made) -> None:
    """Add FP16 for each place; why there is none goes into the notes.

    Raises:
        InputError: the model is quantized already, or no place has FP16.
    """
    if source.quantized:
        name = source.options.model.name
        raise InputError(f"{name} is quantized already; FP16 is made of the float model it came from")
    for place in able(source, places, "fp16", made.notes):
        try:
            halves = half_variants(source, place, work)
        except (InputError, StageError) as error:
            made.notes.append(f"{place.name}: not in FP16: {error}")
            continue
        if not halves:
            made.notes.append(f"{place.name} computes in FP32 whatever the file holds, so there is no FP16 for it")
        add(made, halves)
