"""The variants of a model that a run makes: in float for each engine, and compressed for each destination."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from edgecnn.quantize_onnx.boards import board_opset, newest_opset
from edgecnn.quantize_onnx.options import Options
from edgecnn.quantize_onnx.replay import meet
from edgecnn.quantize_onnx.source import ANY_OPSET, REFERENCE, Source
from edgecnn.runtime.here import why_not_here

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
    evidence: QuantizedModel | None = None
    notes: tuple[str, ...] = ()


def runs_here(place: Destination) -> str | None:
    """Return the target of `place` where its engine runs on this machine; None where it can only be simulated."""
    return None if place.target is None or why_not_here(place.target) else place.target


def float_variants(source: Source, places: Sequence[Destination], work: Path, notes: list[str]) -> list[Variant]:
    """Return the model in FP32, once for each target; ONNX Runtime's stands in where none of them runs here.

    A model that came with Q/DQ pairs is in INT8 instead. A target that can't read the model is left out, and why goes
    into `notes`.
    """
    precision: Precision = "int8" if source.quantized else "fp32"
    found = []
    for place in {place.target: place for place in places if place.target is not None}.values():
        try:
            file = _float_file(source, work, newest_opset(place))
        except InputError as error:
            notes.append(f"{place.name}: left out: {error}")
        else:
            found.append(_variant(f"{place.target}-{precision}", place, file, precision))
    if not any(variant.timed for variant in found):
        own = Destination(REFERENCE, TARGETS[REFERENCE].scheme, REFERENCE, REFERENCE)
        found.insert(0, _variant(f"{REFERENCE}-{precision}", own, _float_file(source, work), precision))
    return [replace(variant, place=None) for variant in found]


def half_variants(source: Source, place: Destination, work: Path) -> list[Variant]:
    """Return the model in FP16 for `place`; none where FP16 would only be turned back into FP32, as on an x86 CPU.

    Raises:
        InputError: the model has no words for an opset that the engine reads.
    """
    name = f"{place.name}-fp16"
    way = "graph" if place.target is None else TARGETS[place.target].fp16
    if way == "compiler":
        # The graph stays.
        return [_variant(name, place, _float_file(source, work, newest_opset(place)), "fp16")]
    if not way:
        return []
    file = work / f"{name}.onnx"
    _write(file, to_half(_model_for(source, place, resolve("scheme", place.scheme))))
    return [_variant(name, place, file, "fp16")]


def quantized_variant(source: Source, place: Destination, work: Path, notes: list[str]) -> Variant | None:
    """Return the model quantized by the destination's scheme; None where a search found that FP32 is better.

    A rule of the scheme that the result breaks is noted where the engine runs here, since it is judged and timed there
    all the same; where it does not, nothing else would tell. `notes` gets what the user must know.

    Raises:
        InputError: the scheme finds nothing to quantize, or the model has no words for an opset that the engine reads.
        EngineError: the engine refused a candidate.
        StageError: the result breaks a rule of a scheme whose engine does not run here.
    """
    if not place.scheme:
        raise InputError(f"edgecnn quantizes nothing for {place.engine}")
    scheme = resolve("scheme", place.scheme)
    found = _made(source, place, scheme, notes)
    if found is None:
        return None
    made, precision = found
    broken = violations(made.model, scheme)
    here = runs_here(place) is not None
    if broken and not here:
        raise StageError(f"{place.name}: the quantized model breaks its scheme {scheme.name}: {'; '.join(broken[:3])}")
    name = f"{place.name}-{precision}"
    file = work / f"{name}.onnx"
    _write(file, made.model)
    told = tuple(f"breaks a rule of scheme {scheme.name}: {sentence}" for sentence in broken)
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


def _float_file(source: Source, work: Path, most: int = ANY_OPSET) -> Path:
    """Return a file of the float model at its own opset, or at `most` where that is older; each is written once."""
    file = work / ("float.onnx" if source.opset <= most else f"float-opset{most}.onnx")
    if not file.exists():
        _write(file, source.model(most=most))
    return file


def _model_for(source: Source, place: Destination, scheme: Any) -> Any:
    """Return the float model at an opset that the scheme's engine reads, and the board that it is on."""
    return source.model(scheme.min_opset, min(scheme.max_opset, board_opset(place)))


def _made(source: Source, place: Destination, scheme: Any, notes: list[str]) -> tuple[Quantized, Precision] | None:
    """Quantize in the way that was asked for; None where a search found that FP32 is better."""
    options = source.options
    if options.replay is not None:
        return _replayed(source, place, scheme, options.replay, notes)
    if options.precision == "mixed":
        searched = _searched(source, place, scheme, notes)
        return None if searched is None else (searched, "mixed")
    return quantized_whole(_model_for(source, place, scheme), scheme, source.fit, _settings(options)), "int8"


def _replayed(
    source: Source, place: Destination, scheme: Any, decisions: Decisions, notes: list[str]
) -> tuple[Quantized, Precision]:
    """Quantize what the record has in INT8, as far as the scheme takes it, with the ranges recorded."""
    met, settings = meet(_model_for(source, place, scheme), decisions), _settings(source.options)
    kept = (*source.options.keep_float, *met.keep_float)
    settings = replace(settings, keep_float=kept, recorded=decisions.tensors)
    found = quantized_whole(met.model, scheme, source.fit, settings)
    told = (f"decisions of {decisions.origin} replayed", *found.report.notes)
    report = replace(found.report, notes=told, left_in_float=decisions.reasons(found.report.left_in_float))
    notes += [f"{place.name}: {note}" for note in (*met.notes, *report.notes)]
    return replace(found, report=report), "mixed" if met.keep_float else "int8"


def _searched(source: Source, place: Destination, scheme: Any, notes: list[str]) -> Quantized | None:
    """Quantize what pays and keeps the floor."""
    options, model = source.options, _model_for(source, place, scheme)
    here, labelled = runs_here(place), source.labelled
    if labelled is None:
        bench = Bench(here, options.threads, source.tried, source.search_judge)
    else:
        bench = Bench(here, options.threads, labelled.tried, labelled.judge)
    score, taken_s = timed_score(bench, model)
    floor = _aim(source) if labelled is None else score - labelled.asked.max_drop
    shares = share_out(60 * options.minutes, taken_s, raced=here is not None)
    found = search(
        {AS_IT_CAME: model, **(rewritten(model) if here else {})},
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
    here = runs_here(place) is not None
    told: tuple[str, ...] = () if here else (f"verified by simulation in ONNX Runtime, not run in {place.name}",)
    if not here and precision == "fp16" and place.target is not None and TARGETS[place.target].fp16 == "compiler":
        told += (f"{place.engine} halves it itself, so that the simulation was in FP32 and tells nothing of FP16",)
    target = place.target or REFERENCE
    return Variant(name, place, place.engine, target, file, precision, here, evidence, (*notes, *told))


def _write(path: Path, model: Any) -> None:
    atomic.write_bytes(path, model.SerializeToString(deterministic=True))
