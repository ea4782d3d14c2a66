"""The variants of a model that a run makes: in float for each engine, and compressed for each destination."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.drift import measure_drift
from edgecnn.compress.quantize.quantize import Quantizer, Settings
from edgecnn.core import atomic
from edgecnn.core.bundle import Precision
from edgecnn.core.destination import Destination
from edgecnn.core.errors import InputError, StageError
from edgecnn.core.evidence import QuantizedModel
from edgecnn.core.registry import TARGETS, resolve
from edgecnn.quantize_onnx.source import REFERENCE, Source

HALVED = frozenset({"openvino"})
"""Targets whose compiler stores float weights in FP16."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A model to compile.

    Attributes:
        name: the artefact's.
        engine: the engine it is for.
        target: whose compiler makes the files; ONNX Runtime's where the destination's own is not here.
        source: the ONNX file.
        precision: the artefact's.
        timed: whether it runs here as it will there, so that its latency can be measured.
        evidence: how it was quantized; None for float.
        notes: what a reader of the bundle must know.
    """

    name: str
    engine: str
    target: str
    source: Path
    precision: Precision
    timed: bool
    evidence: QuantizedModel | None = None
    notes: tuple[str, ...] = ()


def float_variants(source: Source, places: Sequence[Destination], work: Path) -> list[Variant]:
    """Return the model in FP32, once for each engine that runs here; ONNX Runtime's stands in for those that don't."""
    targets = dict.fromkeys(place.target or REFERENCE for place in places)
    file = work / "float.onnx"
    _write(file, source.model())
    return [Variant(f"{name}-fp32", TARGETS[name].engine, name, file, "fp32", timed=True) for name in targets]


def half_variants(floats: Sequence[Variant], targets: Sequence[str | None]) -> list[Variant]:
    """Return those of `floats` that are for `targets` with their weights in FP16, where the target's compiler can."""
    return [
        Variant(f"{one.target}-fp16", one.engine, one.target, one.source, "fp16", timed=True)
        for one in floats
        if one.target in HALVED and one.target in targets
    ]


def quantized_variant(source: Source, place: Destination, work: Path) -> Variant:
    """Return the model quantized by the destination's scheme.

    A rule of the scheme that the result breaks is noted where the engine runs here, since it is judged and timed there
    all the same; where it does not, nothing else would tell.

    Raises:
        InputError: the scheme finds nothing to quantize.
        StageError: the result breaks a rule of a scheme whose engine does not run here.
    """
    scheme = resolve("scheme", place.scheme)
    precision: Precision = "mixed" if source.options.precision == "mixed" else "int8"
    name = f"{place.name}-{precision}"
    model, evidence = _quantized(source, place, scheme, name)
    found = violations(model, scheme)
    if found and place.target is None:
        raise StageError(f"{place.name}: the quantized model breaks its scheme {scheme.name}: {'; '.join(found[:3])}")
    file = work / f"{name}.onnx"
    _write(file, model)
    notes = tuple(f"breaks a rule of scheme {scheme.name}: {sentence}" for sentence in found)
    if place.target is None:
        notes = (f"verified by simulation in ONNX Runtime, not run in {place.engine}",)
    return Variant(
        name, place.engine, place.target or REFERENCE, file, precision, place.target is not None, evidence, notes
    )


def _quantized(source: Source, place: Destination, scheme: Any, name: str) -> tuple[Any, QuantizedModel]:
    """Return the quantized model and how it was made, with where its error is born on the frames held back."""
    options = source.options
    settings = Settings(options.ranges, options.keep_float, options.threads)
    try:
        quantizer = Quantizer(source.model(scheme.min_opset), scheme, source.fit, settings)
        model, report = quantizer.finish(quantizer.fitted())
    except InputError as error:
        raise InputError(f"{options.model}: {error}") from error
    evidence = QuantizedModel(
        target=place.name,
        file=f"{name}.onnx",
        scheme=scheme.name,
        ranges=options.ranges,
        frames=report.frames,
        quantized=report.quantized,
        left_in_float=report.left_in_float,
        tensors=report.tensors,
        # Against the float form that was quantized: equalization scales tensors inside without changing the outputs.
        drift=measure_drift(
            quantizer.bench.model,
            model,
            source.held,
            threads=options.threads,
            left_in_float=report.left_in_float,
        ),
    )
    return model, evidence


def _write(path: Path, model: Any) -> None:
    atomic.write_bytes(path, model.SerializeToString(deterministic=True))
