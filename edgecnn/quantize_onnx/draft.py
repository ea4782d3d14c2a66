"""A draft bundle: what variants a run has, compiled, judged in their engines, and sealed with what was found."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from edgecnn import __version__
from edgecnn.compile.artefact import compile_artefact
from edgecnn.compile.compiled import CompiledFiles
from edgecnn.core import atomic, evidence
from edgecnn.core.bundle import GOLDEN, MANIFEST, Artefact, DecodeSpec, Manifest, open_bundle, write_bundle
from edgecnn.core.errors import EngineError, GateError, InputError
from edgecnn.core.evidence import BenchResult, QuantizedModel, QuantizeResult, VerifyResult
from edgecnn.core.npz import npz_bytes
from edgecnn.quantize_onnx.departure import departs
from edgecnn.quantize_onnx.front import TAIL
from edgecnn.quantize_onnx.options import Options
from edgecnn.quantize_onnx.replay import QUANTIZE
from edgecnn.quantize_onnx.source import DRAWN, Source
from edgecnn.quantize_onnx.stand_in import stand_in, stands
from edgecnn.quantize_onnx.variants import Variant
from edgecnn.seal.stage import proven
from edgecnn.verify.agreement import RUNS, Floor, verify_agreement
from edgecnn.verify.labelled import verify_labelled

TASK = "tensors"
PACKAGES = ("numpy", "onnx", "onnx-ir", "onnxruntime")


@dataclass(slots=True)
class Made:
    """What stands so far.

    Attributes:
        variants: what the bundle will hold, by artefact name.
        quantized: how each model was quantized, of those left out too.
        compiled: what variants were compiled to, by artefact name.
        notes: what the user must know.
    """

    variants: dict[str, Variant] = field(default_factory=dict)
    quantized: list[QuantizedModel] = field(default_factory=list)
    compiled: dict[str, tuple[Artefact, CompiledFiles]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def check_out(options: Options) -> None:
    """Raise `InputError` if something is at `options.out` that may not be replaced."""
    if not options.out.exists():
        return
    if not (options.out / MANIFEST).is_file():
        raise InputError(f"{options.out}: is there and is no bundle; only a bundle is replaced")
    if not options.replace:
        raise InputError(f"{options.out}: is there already; choose another name or give --force")


def add(made: Made, variants: Sequence[Variant]) -> None:
    """Take `variants` into the bundle."""
    made.variants |= {variant.name: variant for variant in variants}
    made.quantized += [variant.evidence for variant in variants if variant.evidence is not None]


def judged(source: Source, made: Made, work: Path, steps: "Steps") -> tuple[Path, VerifyResult]:
    """Return the draft bundle and its verdict; what misses the floor is left out, FP16 or FP32 stands in for it.

    Raises:
        EngineError: no engine asked for runs the model in FP32.
        GateError: an engine does not give in FP32 what the model gives.
    """
    draft = _draft(source, made, work)
    steps.say("verify")
    verified = _verified(source, made, draft, work)
    while missed := [gate for gate in verified.gates if not gate.passed]:
        for gate in missed:
            variant = made.variants[gate.artefact]
            ran = gate.rule != RUNS
            if ran and variant.place is None:
                raise GateError(f"{gate.text}; {departs(draft, variant.name, variant.source, source.options.threads)}")
            advice = "; --precision mixed may hold it" if ran and variant.precision == "int8" else ""
            leave_out(source, made, variant, gate.text, advice, work)
        draft = _draft(source, made, work)
        verified = _verified(source, made, draft, work)
    return draft, verified


def leave_out(source: Source, made: Made, variant: Variant, why: str, advice: str, work: Path) -> None:
    """Take `variant` out and note it; in the place of a destination's comes FP16, unless it was that.

    Raises:
        EngineError: it is the last in FP32.
    """
    del made.variants[variant.name]
    if variant.place is None:
        if not any(other.place is None for other in made.variants.values()):
            raise EngineError(why)
        made.notes.append(f"{why}; left out, {variant.precision.upper()} is there for the other engines")
        return
    halves = stand_in(source, variant.place, work) if variant.precision != "fp16" else []
    made.notes.append(f"{why}; left out, {stands(halves)}{advice}")
    add(made, halves)


def _draft(source: Source, made: Made, work: Path) -> Path:
    """Compile what is not compiled yet and write the bundle that nothing has judged."""
    while new := [variant for name, variant in made.variants.items() if name not in made.compiled]:
        for variant in new:
            _compile(source, made, variant, work)
    files: dict[str, Path | bytes] = {GOLDEN: npz_bytes(source.golden)}
    artefacts = []
    for variant in made.variants.values():
        artefact, compiled = made.compiled[variant.name]
        artefacts.append(artefact)
        files |= dict(zip(artefact.files, compiled.files, strict=True))
    versions = {name: version(name) for name in PACKAGES}
    record = QuantizeResult(tuple(made.quantized), versions)
    evidence.write(work / "quantize" / QUANTIZE, record)
    if made.quantized:
        files[QUANTIZE] = work / "quantize" / QUANTIZE
    if source.tail is not None:
        files[TAIL] = source.tail.SerializeToString(deterministic=True)
    manifest = Manifest(
        name=source.options.model.stem,
        task=TASK if source.labelled is None else source.labelled.asked.task,
        frame=source.frame,
        decode=_tensors(source) if source.labelled is None else source.labelled.decode,
        artefacts=tuple(artefacts),
        files={},
        provenance=_provenance(source, made, versions),
    )
    return write_bundle(work / "draft", manifest, files)


def _tensors(source: Source) -> DecodeSpec:
    return DecodeSpec(TASK, {"outputs": [msgspec.to_builtins(spec) for spec in source.outputs]})


def _compile(source: Source, made: Made, variant: Variant, work: Path) -> None:
    """Compile `variant`; what its engine refuses is left out."""
    try:
        artefact, compiled = compile_artefact(
            variant.name, variant.target, variant.precision, variant.source, work / "compiled"
        )
    except EngineError as error:
        leave_out(source, made, variant, str(error), "", work)
        return
    artefact = replace(artefact, engine=variant.engine, notes=variant.notes)
    made.compiled[variant.name] = (artefact, compiled)


def _verified(source: Source, made: Made, draft: Path, work: Path) -> VerifyResult:
    options = source.options
    simulated = {name: variant.source.read_bytes() for name, variant in made.variants.items() if not variant.timed}
    found = verify_agreement(
        draft.resolve(), source.held, source.judge, Floor(options.min_agreement), options.threads, simulated
    )
    if (labelled := source.labelled) is not None:
        found = verify_labelled(
            found, draft.resolve(), labelled.verdict, labelled.asked.max_drop, options.threads, simulated
        )
    evidence.write(work / "verify" / "verify.json", found)
    return found


def sealed(made: Made, draft: Path, verified: VerifyResult, benched: BenchResult, work: Path) -> Path:
    """Return the draft with what was found about each artefact in its manifest."""
    opened = open_bundle(draft.resolve())
    manifest = replace(
        opened.manifest,
        artefacts=tuple(proven(artefact, verified, benched) for artefact in opened.manifest.artefacts),
        provenance={**opened.manifest.provenance, "benched_on": benched.environment, "notes": made.notes},
    )
    return write_bundle(work / "seal" / "bundle", manifest, {name: opened.read(name) for name in opened.manifest.files})


def publish(folder: Path, target: Path) -> None:
    """Copy `folder` to `target` at once or not at all."""
    with atomic.new_folder(target) as new:
        shutil.copytree(folder, new, dirs_exist_ok=True)


def _provenance(source: Source, made: Made, versions: dict[str, str]) -> dict[str, Any]:
    options = source.options
    compiled = [files.versions for _, files in made.compiled.values()]
    return {
        "edgecnn": __version__,
        "model": {"file": options.model.name, "sha256": atomic.sha256_file(options.model)},
        "prepared": list(source.changes),
        "calibration": {
            "source": Path(options.calib).name or DRAWN,
            "fitted": len(source.fit) if made.quantized else 0,
            "judged": len(source.held),
        },
        "pre-processing": _normalisation(source),
        "versions": dict(sorted({key: v for one in [*compiled, versions] for key, v in one.items()}.items())),
        "schemes": {
            Path(record.file).stem: {"name": record.scheme, "ranges": record.ranges} for record in made.quantized
        },
    }


def _normalisation(source: Source) -> dict[str, Any]:
    if source.baked is None:
        return {"baked": False}
    ask = source.options.normalisation
    return {"baked": True, "scale": ask.scale, "mean": list(ask.mean), "std": list(ask.std), "color": ask.color}


class Steps:
    """Tells on stderr which step of how many begins."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0

    def say(self, text: str) -> None:
        """Say that the next step begins."""
        self._done += 1
        sys.stderr.write(f"[{self._done}/{self._total}] {text}\n")
        sys.stderr.flush()
