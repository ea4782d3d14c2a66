"""ReportFacts: all that a report is made of, gathered from stage results, a bundle, or whatever of them there is."""

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.core import evidence
from edgecnn.core.bundle import Artefact, Bundle, FileRecord, Parity, open_bundle
from edgecnn.core.compress_evidence import COMPRESSION, CompressResult
from edgecnn.core.errors import StageError
from edgecnn.core.evidence import (
    BenchResult,
    BenchRun,
    QuantizedModel,
    QuantizeResult,
    TrainResult,
    Verdict,
    VerifyResult,
)
from edgecnn.core.measure import Measurement
from edgecnn.report import wording

SINGLE, CAMERA, ENGINE_ONLY = "single_stream", "camera", "engine_only"
# What a bundle's accuracy table calls the points lost against the reference, and against the uncompressed network.
DROP, TOTAL_DROP = "drop", "total_drop"
# A bundle may carry the quantize stage's own record under this name.
QUANTIZATION = "quantize.json"

Record = TypeVar("Record", bound=msgspec.Struct)
Samples = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class ArtefactFacts:
    """One artefact, from whichever source knows of it; what no source knows is None or empty.

    `passed` is None where no gate was judged. `runs` are its bench runs by scenario; without a bench result they are
    the bundle's own latency table under one scenario.
    """

    name: str
    engine: str
    precision: str
    files: Mapping[str, FileRecord] = field(default_factory=dict)
    parity: Parity | None = None
    figures: Mapping[str, Measurement] = field(default_factory=dict)
    by_tag: Mapping[str, Measurement] = field(default_factory=dict)
    drop: Measurement | None = None
    total_drop: Measurement | None = None
    runs: Mapping[str, BenchRun] = field(default_factory=dict)
    passed: bool | None = None
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return e.g. `INT8 on OpenVINO`."""
        return wording.artefact_title(self.engine, self.precision)

    @property
    def lost(self) -> Measurement | None:
        """Return the points lost against the uncompressed network where that was judged, else the reference."""
        return self.drop if self.total_drop is None else self.total_drop

    @property
    def size_bytes(self) -> int:
        """Return the bytes of all its files, 0 where unknown."""
        return sum(record.size_bytes for record in self.files.values())

    @property
    def latency(self) -> Measurement | None:
        """Return the median from frame to result, single stream."""
        run = self.runs.get(SINGLE)
        return run.figures.get("p50_ms") if run else None


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What is known of one run. `figure` names the figure that gates speak of, empty when nothing was judged."""

    name: str
    task: str
    artefacts: tuple[ArtefactFacts, ...]
    figure: str = ""
    reference: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    train: TrainResult | None = None
    verify: VerifyResult | None = None
    bench: BenchResult | None = None
    samples: Samples = field(default_factory=dict)
    gallery: Path | None = None
    quantized: tuple[QuantizedModel, ...] = ()
    compressed: CompressResult = field(default_factory=CompressResult)

    @property
    def passed(self) -> bool | None:
        """Return whether every gate holds; None where none was judged."""
        if self.verify is not None and self.verify.gates:
            return self.verify.passed
        judged = [artefact.passed for artefact in self.artefacts if artefact.passed is not None]
        return all(judged) if judged else None

    @property
    def disturbances(self) -> tuple[str, ...]:
        """Return what disturbed the machine while latency was taken, a sentence each without its full stop."""
        environment = self.bench.environment if self.bench else self.provenance.get("benched_on")
        found = environment.get("disturbances") if isinstance(environment, dict) else None
        return tuple(map(wording.plain, found)) if isinstance(found, list) else ()

    def artefact(self, name: str) -> ArtefactFacts | None:
        """Return the artefact called `name`, or None."""
        return next((artefact for artefact in self.artefacts if artefact.name == name), None)

    def title_of(self, name: str) -> str:
        """Return how a sentence calls the artefact `name`."""
        artefact = self.artefact(name)
        return artefact.title if artefact else name


def gather(folders: Mapping[str, Path]) -> ReportFacts:
    """Return the facts in the result folders of the stages that `source.STAGES` names, or of some of them.

    In place of `qat` it may be `quantize`.

    Raises:
        StageError: a result is there and can't be read, or there is neither a bundle nor a verdict.
        BundleError: the bundle is damaged.
    """
    train = _result(folders, "train", TrainResult)
    verify = _result(folders, "verify", VerifyResult)
    bench = _result(folders, "bench", BenchResult)
    sealed = folders["seal"] / "bundle" if "seal" in folders else None
    bundle = open_bundle(sealed) if sealed is not None else None
    if bundle is None and verify is None and bench is None:
        raise StageError("nothing to report: neither a bundle nor a verify or bench result is there; run those first")
    samples = _samples(folders["bench"] / "samples.npz") if "bench" in folders else {}
    last = next((folders[name] for name in ("qat", "quantize") if name in folders), None)
    quantized = evidence.read(last / "quantize.json", QuantizeResult) if last is not None else None
    facts = _facts(bundle, train, verify, bench, samples, folders.get("verify"))
    facts = _with_sealed(facts, bundle) if bundle else facts
    way = _result(folders, "compress", CompressResult)
    return replace(
        facts,
        quantized=facts.quantized if quantized is None else quantized.models,
        compressed=facts.compressed if way is None else way,
    )


def gather_bundle(path: Path) -> ReportFacts:
    """Return what a bundle folder or `.edge` file says by itself.

    Raises:
        BundleError: damaged, tampered with or no bundle.
    """
    bundle = open_bundle(path)
    return _with_sealed(_facts(bundle, None, None, None, {}, None), bundle)


def _facts(
    bundle: Bundle | None,
    train: TrainResult | None,
    verify: VerifyResult | None,
    bench: BenchResult | None,
    samples: Samples,
    gallery: Path | None,
) -> ReportFacts:
    manifest = bundle.manifest if bundle else None
    verdicts = {verdict.artefact: verdict for verdict in verify.verdicts} if verify else {}
    runs = [run for run in bench.runs if run.engine != "null"] if bench else []
    sealed = {artefact.name: artefact for artefact in manifest.artefacts} if manifest else {}
    names = dict.fromkeys([*sealed, *verdicts, *(run.artefact for run in runs)])
    records = manifest.files if manifest else {}
    artefacts = tuple(
        _artefact(
            name, sealed.get(name), records, verdicts.get(name), [run for run in runs if run.artefact == name], verify
        )
        for name in names
    )
    return ReportFacts(
        name=manifest.name if manifest else (train.model if train else "unnamed"),
        task=manifest.task if manifest else "",
        artefacts=artefacts,
        figure=verify.figure if verify else next((key for one in artefacts for key in one.figures), ""),
        reference=verify.reference if verify else _reference(artefacts),
        provenance=manifest.provenance if manifest else {},
        train=train,
        verify=verify,
        bench=bench,
        samples=samples,
        gallery=gallery,
    )


def _with_sealed(facts: ReportFacts, bundle: Bundle) -> ReportFacts:
    """Return `facts` with the stages' own records that the bundle carries."""
    quantized = _sealed(bundle, QUANTIZATION, QuantizeResult()).models
    return replace(facts, quantized=quantized, compressed=_sealed(bundle, COMPRESSION, CompressResult()))


def _sealed(bundle: Bundle, name: str, none: Record) -> Record:
    if name not in bundle.manifest.files:
        return none
    try:
        return msgspec.json.decode(bundle.read(name), type=type(none))
    except msgspec.DecodeError as error:
        raise StageError(f"{bundle.path}: {name}: {error}") from error


def _reference(artefacts: tuple[ArtefactFacts, ...]) -> str:
    """Return the artefact that drops were counted from, told by its having figures and no drop; empty if unclear."""
    without = [artefact.name for artefact in artefacts if artefact.figures and artefact.drop is None]
    return without[0] if len(without) == 1 else ""


def _artefact(
    name: str,
    sealed: Artefact | None,
    records: Mapping[str, FileRecord],
    verdict: Verdict | None,
    runs: list[BenchRun],
    verify: VerifyResult | None,
) -> ArtefactFacts:
    """Join what the bundle, the verdict and the bench say of one artefact; fresher evidence goes before the table."""
    gates = [gate for gate in verify.gates if gate.artefact == name] if verify else []
    judged = all(gate.passed for gate in gates) if gates else None
    engine, _, precision = name.rpartition("-")
    table = sealed.accuracy if sealed else {}
    by_scenario = {run.scenario: run for run in runs}
    if sealed is not None and not by_scenario and sealed.latency:
        by_scenario = _table_runs(sealed)
    return ArtefactFacts(
        name=name,
        engine=sealed.engine if sealed else runs[0].engine if runs else engine,
        precision=sealed.precision if sealed else runs[0].precision if runs else precision,
        files={file: records[file] for file in sealed.files if file in records} if sealed else {},
        parity=verdict.parity if verdict else sealed.parity if sealed else None,
        figures=verdict.figures if verdict else {key: m for key, m in table.items() if key not in {DROP, TOTAL_DROP}},
        by_tag=verdict.by_tag if verdict else {},
        drop=verdict.drop if verdict else table.get(DROP),
        total_drop=verdict.total_drop if verdict else table.get(TOTAL_DROP),
        runs=by_scenario,
        passed=sealed.passed if sealed and sealed.passed is not None else judged,
        notes=sealed.notes if sealed else (),
    )


def _table_runs(sealed: Artefact) -> dict[str, BenchRun]:
    """Read a bundle's latency table, keys `<scenario>.<figure>` or a bare figure for the single stream, as runs."""
    figures: dict[str, dict[str, Measurement]] = {}
    for key, measurement in sealed.latency.items():
        # A figure may hold a dot itself (`p99.9_ms`), the name of a scenario never does.
        split = re.fullmatch(r"([a-z_]+)\.(.+)", key)
        scenario, figure = (split[1], split[2]) if split else (SINGLE, key)
        figures.setdefault(scenario, {})[figure] = measurement
    return {
        scenario: BenchRun(sealed.name, sealed.engine, sealed.precision, scenario, table, "", None)
        for scenario, table in figures.items()
    }


def _result(folders: Mapping[str, Path], stage: str, kind: type[Any]) -> Any:
    return evidence.read(folders[stage] / f"{stage}.json", kind) if stage in folders else None


def _samples(path: Path) -> dict[str, NDArray[np.int64]]:
    """Read every array of `samples.npz`, by its name `<run's prefix>/<column>`; empty when the file is not there."""
    if not path.is_file():
        return {}
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise StageError(f"{path}: can't read the samples ({error}); run the bench stage again") from error
