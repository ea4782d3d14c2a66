"""`edgecnn devices check`: what a board makes of a finished model or of a bundle, engine by engine."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgecnn.compile.model_facts import model_facts
from edgecnn.compile.specs import opset_of
from edgecnn.core.bundle import Bundle, Precision
from edgecnn.core.destination import places_on
from edgecnn.core.device import Device, EngineSupport
from edgecnn.core.device_rules import ModelFacts, Refusal, refusals
from edgecnn.core.errors import EdgecnnError, InputError, MissingExtraError, line_of
from edgecnn.core.registry import TARGETS, import_entry
from edgecnn.export.load_onnx import is_quantized, load_model
from edgecnn.export.prepare import USUAL_OUT, prepare, settled
from edgecnn.quantize_onnx.boards import tensorrt_opset

FLOATS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
"""What a float model may be made to run in."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one engine of a board makes of one thing.

    Attributes:
        subject: the precision of a model, or an artefact's name.
        engine, unit: where it would run.
        refusals: every rule that is broken, those that block it first.
    """

    subject: str
    engine: str
    unit: str
    refusals: tuple[Refusal, ...]

    @property
    def runs(self) -> bool:
        """Whether nothing blocks it."""
        return not any(one.blocks for one in self.refusals)


def check_model(path: Path, device: Device, shapes: dict[str, tuple[int, ...]]) -> list[Answer]:
    """Return what each engine of `device` makes of an ONNX file in each precision; a quantized one is in INT8 alone.

    Beside the rules its compiler for that engine is tried, where its packages are here: it knows the operators.

    Raises:
        InputError: the file is no model that can be used.
    """
    model = load_model(path, quantized=True)
    quantized = is_quantized(model)
    readable = settled(model, shapes).model if quantized else _readable(model, device, shapes)
    answers = []
    for support in device.engines:
        told = _tried(readable, device, support, "int8" if quantized else "fp32")
        for precision in ("int8",) if quantized else FLOATS:
            broken = (*refusals(device, support, model_facts(readable, precision)), *told)
            answers.append(Answer(precision, support.engine, support.unit, tuple(sorted(broken, key=_rank))))
    return answers


def check_bundle(bundle: Bundle, device: Device) -> list[Answer]:
    """Return what the engines of `device` make of each artefact; one for an engine that it has not got says so."""
    return [answer for artefact in bundle.manifest.artefacts for answer in _artefact(artefact, device)]


def _artefact(artefact: Any, device: Device) -> Iterator[Answer]:
    unit = str(artefact.options.get("device", "")).lower()
    fitting = [one for one in device.engines if one.engine == artefact.engine and unit in ("", one.unit)]
    if not fitting:
        listed = ", ".join(dict.fromkeys(f"{one.engine} on {one.unit}" for one in device.engines))
        why = f"{device.name} is not known to run {artefact.engine}{f' on {unit}' if unit else ''}"
        target = f"compile it for the board: --target {device.name} (it has {listed})"
        yield Answer(artefact.name, artefact.engine, unit, (Refusal("engine", why, target),))
    facts = ModelFacts(artefact.precision, inputs={spec.name: spec.dtype for spec in artefact.inputs})
    # Without a unit of its own an artefact runs on the engine's first.
    for support in fitting[:1]:
        yield Answer(artefact.name, support.engine, support.unit, tuple(refusals(device, support, facts)))


def _readable(model: Any, device: Device, shapes: dict[str, tuple[int, ...]]) -> Any:
    """Return the model at an opset that the board's TensorRT reads; at its own where it has no words for that."""
    most = tensorrt_opset(device)
    if most < max(opset_of(model), USUAL_OUT):
        with suppress(InputError):
            return prepare(model, shapes=shapes, opset=most).model
    return prepare(model, shapes=shapes).model


def _tried(model: Any, device: Device, support: EngineSupport, precision: Precision) -> list[Refusal]:
    """Return what the compiler for an engine says against the model; nothing where it can't be asked here."""
    places = [place for place in places_on(device, support) if place.target is not None]
    found = []
    for place in places:
        try:
            compile_model = import_entry(TARGETS[str(place.target)].compiler, f"target '{place.target}'")
            with TemporaryDirectory() as folder:
                source = Path(folder) / "model.onnx"
                source.write_bytes(model.SerializeToString())
                compile_model(source, Path(folder) / "out", precision)
        except MissingExtraError:
            continue
        except EdgecnnError as error:
            found.append(
                Refusal("compiler", line_of(error), "change the model so, or take another engine of the board")
            )
    return found


def _rank(refusal: Refusal) -> bool:
    return not refusal.blocks
