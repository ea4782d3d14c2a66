"""The variants of a model that a run makes: in float for each engine, and compressed for each destination."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgecnn.compress.quantize.candidate import Bench
from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.half import to_half
from edgecnn.compress.quantize.quantize import Settings
from edgecnn.compress.quantize.quantized import Quantized, quantized_found, quantized_whole, record
from edgecnn.compress.quantize.replay import Decisions
from edgecnn.compress.quantize.reserve import MOST_CORRECTION_S, share_out, timed_score
from edgecnn.compress.quantize.search import Goal, search
from edgecnn.core import atomic
from edgecnn.core.bundle import Precision
from edgecnn.core.destination import Destination
from edgecnn.core.errors import InputError, StageError
from edgecnn.core.evidence import QuantizedModel
from edgecnn.core.registry import TARGETS, resolve
from edgecnn.export.rewrites import rewritten
from edgecnn.quantize_onnx.options import Options
from edgecnn.quantize_onnx.replay import meet
from edgecnn.quantize_onnx.source import REFERENCE, Source

HALVED = frozenset({"openvino"})
"""Targets whose compiler stores float weights in FP16."""
DEVICES = {"openvino_gpu": {"device": "GPU"}, "openvino_npu": {"device": "NPU"}}
"""Options that an engine needs to run on the unit a scheme is for."""
AS_IT_CAME = "as it came"
AIM_ABOVE, AIM_ABOVE_FITTED = 0.25, 0.5
"""How much of what is left above the floor a search keeps in hand, having tried many mixes on a few frames; more where
those are the frames that ranges and rounding were fitted to."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A model to compile.

    Attributes:
        name: the artefact's.
        place: where it is to run; None for the float models that are there for comparison.
        engine: the engine it is for.
        target: whose compiler makes the files; ONNX Runtime's where the destination's own is not here.
        source: the ONNX file.
        precision: the artefact's.
        timed: whether it runs here as it will there, so that its latency can be measured.
        options: what the engine has to be told.
        evidence: how it was quantized; None for float.
        notes: what a reader of the bundle must know.
    """

    name: str
    place: Destination | None
    engine: str
    target: str
    source: Path
    precision: Precision
    timed: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    evidence: QuantizedModel | None = None
    notes: tuple[str, ...] = ()


def float_variants(source: Source, places: Sequence[Destination], work: Path) -> list[Variant]:
    """Return the model in FP32, once for each engine that runs here; ONNX Runtime's stands in for those that don't."""
    targets = dict.fromkeys(place.target or REFERENCE for place in places)
    file = work / "float.onnx"
    _write(file, source.model())
    return [Variant(f"{name}-fp32", None, TARGETS[name].engine, name, file, "fp32", timed=True) for name in targets]


def half_variants(source: Source, place: Destination, work: Path) -> list[Variant]:
    """Return the model in FP16 for `place`; none where FP16 would only be turned back into FP32, as on an x86 CPU.

    Raises:
        InputError: the model's opset is not one that the engine reads.
    """
    name = f"{place.name}-fp16"
    if place.target in HALVED:
        # Its compiler halves the weights; the graph stays.
        return [_variant(name, place, work / "float.onnx", "fp16")]
    if place.target is not None:
        return []
    file = work / f"{name}.onnx"
    _write(file, to_half(_model_for(source, resolve("scheme", place.scheme))))
    return [_variant(name, place, file, "fp16", notes=_simulation(place))]


def quantized_variant(source: Source, place: Destination, work: Path, notes: list[str]) -> Variant | None:
    """Return the model quantized by the destination's scheme; None where a search found that FP32 is better.

    A rule of the scheme that the result breaks is noted where the engine runs here, since it is judged and timed there
    all the same; where it does not, nothing else would tell. `notes` gets what the user must know.

    Raises:
        InputError: the scheme finds nothing to quantize, or the model's opset is not one that the engine reads.
        EngineError: the engine refused a candidate.
        StageError: the result breaks a rule of a scheme whose engine does not run here.
    """
    scheme = resolve("scheme", place.scheme)
    found = _made(source, place, scheme, notes)
    if found is None:
        return None
    made, precision = found
    broken = violations(made.model, scheme)
    if broken and place.target is None:
        raise StageError(f"{place.name}: the quantized model breaks its scheme {scheme.name}: {'; '.join(broken[:3])}")
    name = f"{place.name}-{precision}"
    file = work / f"{name}.onnx"
    _write(file, made.model)
    told = tuple(f"breaks a rule of scheme {scheme.name}: {sentence}" for sentence in broken) + _simulation(place)
    options = source.options
    evidence = record(
        made,
        source.held,
        target=place.name,
        file=file.name,
        scheme=place.scheme,
        ranges=options.ranges,
        threads=options.threads,
    )
    return _variant(name, place, file, precision, evidence=evidence, notes=told)


def _model_for(source: Source, scheme: Any) -> Any:
    """Return the float model at an opset that the scheme's engine reads."""
    if source.opset > scheme.max_opset:
        raise InputError(
            f"the model is at opset {source.opset} and {scheme.name} reads {scheme.max_opset} at most; "
            f"export it again at opset {scheme.max_opset}"
        )
    return source.model(scheme.min_opset)


def _made(source: Source, place: Destination, scheme: Any, notes: list[str]) -> tuple[Quantized, Precision] | None:
    """Quantize in the way that was asked for; None where a search found that FP32 is better."""
    options = source.options
    if options.replay is not None:
        return _replayed(source, place, scheme, options.replay, notes)
    if options.precision == "mixed":
        searched = _searched(source, place, scheme, notes)
        return None if searched is None else (searched, "mixed")
    return quantized_whole(_model_for(source, scheme), scheme, source.fit, _settings(options)), "int8"


def _replayed(
    source: Source, place: Destination, scheme: Any, decisions: Decisions, notes: list[str]
) -> tuple[Quantized, Precision]:
    """Quantize what the record has in INT8, as far as the scheme takes it, with the ranges recorded."""
    met, settings = meet(_model_for(source, scheme), decisions), _settings(source.options)
    kept = (*source.options.keep_float, *met.keep_float)
    settings = replace(settings, keep_float=kept, recorded=decisions.tensors)
    found = quantized_whole(met.model, scheme, source.fit, settings)
    told = (f"decisions of {decisions.origin} replayed", *found.report.notes)
    report = replace(found.report, notes=told, left_in_float=decisions.reasons(found.report.left_in_float))
    notes += [f"{place.name}: {note}" for note in (*met.notes, *report.notes)]
    return replace(found, report=report), "mixed" if met.keep_float else "int8"


def _searched(source: Source, place: Destination, scheme: Any, notes: list[str]) -> Quantized | None:
    """Quantize what pays and keeps the floor."""
    options, model = source.options, _model_for(source, scheme)
    engine, labelled = place.engine if place.target else None, source.labelled
    if labelled is None:
        bench = Bench(engine, options.threads, source.tried, source.search_judge)
    else:
        bench = Bench(engine, options.threads, labelled.tried, labelled.judge)
    score, taken_s = timed_score(bench, model)
    floor = _aim(source) if labelled is None else score - labelled.asked.max_drop
    shares = share_out(60 * options.minutes, taken_s, raced=bench.engine is not None)
    found = search(
        {AS_IT_CAME: model, **(rewritten(model) if place.target else {})},
        scheme,
        source.fit,
        replace(_settings(options), seconds=shares.correction_s),
        bench,
        Goal(floor, shares.search_s),
    )
    notes += [f"{place.name}: {note}" for note in found.notes]
    return quantized_found(found)


def _aim(source: Source) -> float:
    """Return the agreement to search for: a little above the floor.

    Frames that a search does not see have the last word, or, where there are too few to hold any back, what it finds
    is flattered by those it does.
    """
    floor = source.options.min_agreement
    return floor + (AIM_ABOVE if source.apart else AIM_ABOVE_FITTED) * (100 - floor)


def _settings(options: Options) -> Settings:
    seconds = min(MOST_CORRECTION_S, 60 * options.minutes)
    return Settings(options.ranges, options.keep_float, options.threads, not options.plain, seconds)


def _variant(
    name: str,
    place: Destination,
    file: Path,
    precision: Precision,
    evidence: QuantizedModel | None = None,
    notes: tuple[str, ...] = (),
) -> Variant:
    target, options = place.target or REFERENCE, DEVICES.get(place.name, {})
    timed = place.target is not None
    return Variant(name, place, place.engine, target, file, precision, timed, options, evidence, notes)


def _simulation(place: Destination) -> tuple[str, ...]:
    return () if place.target else (f"verified by simulation in ONNX Runtime, not run in {place.name}",)


def _write(path: Path, model: Any) -> None:
    atomic.write_bytes(path, model.SerializeToString(deterministic=True))
