"""The order: read, prepare, quantize for each target, compile, verify, time, seal, report. Nothing stays half done."""

from dataclasses import dataclass
from pathlib import Path

from edgecnn.bench import result as bench_result
from edgecnn.bench import samples
from edgecnn.bench.session import Plan, Subject, measure
from edgecnn.core.bundle import Artefact, open_bundle
from edgecnn.core.errors import MissingExtraError
from edgecnn.core.evidence import BenchResult, QuantizedModel, VerifyResult
from edgecnn.core.registry import Entry, import_entry
from edgecnn.core.workdir import temporary
from edgecnn.quantize_onnx.boards import able, named
from edgecnn.quantize_onnx.draft import Made, Steps, add, check_out, judged, publish, sealed
from edgecnn.quantize_onnx.options import Options
from edgecnn.quantize_onnx.replay import check_related
from edgecnn.quantize_onnx.source import Source, open_source_model
from edgecnn.quantize_onnx.speed import speed_note, speedup
from edgecnn.quantize_onnx.stand_in import compressed
from edgecnn.quantize_onnx.variants import float_variants
from edgecnn.report.facts import gather
from edgecnn.report.source import default_out


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where bundle and report stand (None: not written), what was found, and what the user must know, a line each."""

    bundle: Path
    report: Path | None
    verified: VerifyResult
    benched: BenchResult
    quantized: tuple[QuantizedModel, ...]
    artefacts: tuple[Artefact, ...]
    notes: tuple[str, ...]


def run(options: Options) -> Outcome:
    """Make the bundle. Whatever goes wrong, and when the run is interrupted, nothing new is at `options.out`.

    A destination that the model can't be quantized for gets FP16 where it has that, and a note; the others go on. So
    they do without an artefact that its engine fails to run.

    Raises:
        InputError: model, targets, calibration data, output or the record to replay can't be used.
        EngineError: no engine asked for runs the model in FP32.
        GateError: an engine does not give in FP32 what the model gives.
    """
    places = named(options)
    check_out(options)
    with temporary(options.out, options.workdir) as work:
        steps = Steps(len(places) + 6)
        steps.say(f"prepare {options.model.name}")
        source = open_source_model(options, work)
        check_related(str(options.model), source.model(), options.replay)
        made = Made(notes=list(source.notes))
        _tell_frames(source, made.notes)
        places = able(source, places, options.precision, made.notes)
        add(made, float_variants(source, places, work, made.notes))
        for place in places:
            steps.say(f"{options.precision if options.replay is None else 'replay'} for {place.name}")
            add(made, compressed(source, place, work, made.notes))
        steps.say("compile")
        draft, verified = judged(source, made, work, steps)
        steps.say("time")
        benched = _timed(options, made, draft, work)
        _tell_speed(made, benched)
        steps.say("seal")
        closed = sealed(made, draft, verified, benched, work)
        steps.say("report")
        report = _report(work, made.notes)
        publish(closed, options.out)
        if report is not None:
            publish(report, default_out(options.out))
        artefacts = open_bundle(options.out.resolve()).manifest.artefacts
    beside = default_out(options.out) if report is not None else None
    return Outcome(options.out, beside, verified, benched, tuple(made.quantized), artefacts, tuple(made.notes))


def _timed(options: Options, made: Made, draft: Path, work: Path) -> BenchResult:
    names = [name for name, variant in made.variants.items() if variant.timed]
    plan = Plan(seconds=options.seconds, threads=options.threads, scenarios=("single",), cold_starts=0)
    outcome = measure([Subject(name, draft.resolve(), name) for name in names], plan)
    folder = work / "bench"
    folder.mkdir()
    return bench_result.write(outcome, names, folder / "bench.json", folder / samples.FILE)


def _report(work: Path, notes: list[str]) -> Path | None:
    """Write the report below `work`; where its packages are missing, note that and return None."""
    try:
        write = import_entry(Entry("edgecnn.report.write:write", "report"), "the report")
    except MissingExtraError as error:
        notes.append(str(error))
        return None
    write(work / "report", gather({name: (work / name).resolve() for name in ("quantize", "verify", "bench", "seal")}))
    return work / "report"


def _tell_frames(source: Source, notes: list[str]) -> None:
    if not source.apart:
        notes.append(
            f"{len(source.held)} frames are too few to hold any back: agreement is judged on the frames that ranges "
            "were taken from; give 32 or more, better 200"
        )
    elif len(source.held) < 10:
        notes.append(f"agreement is judged on {len(source.held)} frames only; give 100 or more for a sharp figure")


def _tell_speed(made: Made, benched: BenchResult) -> None:
    """Note every quantized artefact that is not known to be faster than FP32 in its own engine."""
    for variant in made.variants.values():
        if variant.evidence is None:
            continue
        base = f"{variant.target}-fp32"
        gain = speedup(benched.ratios, variant.name, base)
        if gain is not None and (text := speed_note(variant.name, base, gain)):
            made.notes.append(text)
