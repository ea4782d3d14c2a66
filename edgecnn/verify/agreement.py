"""Agreement of a bundle's artefacts with the FP32 original on frames without labels, each in its own engine."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from msgspec.structs import replace
from numpy.typing import NDArray

from edgecnn.core.bundle import Artefact, Bundle, Parity, open_bundle
from edgecnn.core.errors import EngineError
from edgecnn.core.evidence import Gate, Verdict, VerifyResult
from edgecnn.core.measure import Measurement
from edgecnn.core.progress import Bar, bar
from edgecnn.core.registry import resolve
from edgecnn.metrics.agreement import AGREEMENT, AgreementJudge, Record
from edgecnn.runtime.codec import codec_of
from edgecnn.runtime.model import Model
from edgecnn.verify.parity import parity

STAND_IN = "onnxruntime"
LEAST_FP32 = 95.0
"""Percent below which an FP32 artefact is not the original any more. Ties in sorted outputs fall either way."""
TOLERANCE = 1e-3
RUNS = "runs"
"""The gate of an artefact that its engine gave up on."""


class Frames(Protocol):
    """A network's inputs, a frame at a time, as often as asked for."""

    def __len__(self) -> int:
        """Return the number of frames."""
        ...

    def __iter__(self) -> Iterator[Mapping[str, NDArray[Any]]]:
        """Yield each frame's arrays by input name."""
        ...


@dataclass(frozen=True, slots=True)
class Floor:
    """The least agreement in percent that compressed artefacts must hold."""

    percent: float


def verify_agreement(
    bundle: Path,
    feeds: Frames,
    judge: AgreementJudge,
    floor: Floor,
    threads: int,
    simulated: Mapping[str, bytes] = MappingProxyType({}),
) -> VerifyResult:
    """Return agreement, parity and gates of every artefact on the frames `feeds`, which the judge has references for.

    What `simulated` has an ONNX file for, since its engine or unit is not here, runs as that in ONNX Runtime; its
    figures are `emulated`. An artefact whose engine refuses it or fails gets the failed gate `RUNS` and no verdict. The
    bound on parity is twice the error found here: what goes beyond it on a device is the device's.
    """
    opened = open_bundle(bundle)
    verdicts, gates = [], []
    artefacts = opened.manifest.artefacts
    with bar("verifying", len(artefacts) * len(feeds)) as shown:
        for artefact in artefacts:
            emulated = artefact.name in simulated
            try:
                with closing(artefact_model(opened, artefact, threads, simulated.get(artefact.name))) as model:
                    records = judge.records(_outputs(model, feeds, shown))
                    close = parity(model, TOLERANCE)
            except EngineError as error:
                gates.append(Gate(artefact.name, RUNS, 1, 0, passed=False, text=f"{artefact.name}: {error}"))
                continue
            verdict = _verdict(artefact, judge, records, close, emulated=emulated)
            verdicts.append(verdict)
            gates.append(_gate(artefact, verdict.figures[AGREEMENT], judge, judge.worst(records), floor))
    judged = {verdict.artefact for verdict in verdicts}
    reference = next((a.name for a in artefacts if a.precision == "fp32" and a.name in judged), artefacts[0].name)
    verdicts = [replace(v, drop=None) if v.artefact == reference else v for v in verdicts]
    return VerifyResult(reference, AGREEMENT, AGREEMENT, len(feeds), tuple(verdicts), tuple(gates))


def _verdict(
    artefact: Artefact, judge: AgreementJudge, records: Sequence[Record], close: Parity, *, emulated: bool
) -> Verdict:
    on = f"{artefact.engine}, simulated in ONNX Runtime" if emulated else artefact.engine
    figures = judge.measure(records, on)
    if len(judge.rules) == 1:
        # The one output's own agreement is the whole.
        figures = {AGREEMENT: figures[AGREEMENT]}
    if emulated:
        figures = {name: replace(figure, how="emulated") for name, figure in figures.items()}
    bound = max(TOLERANCE, *(2 * error for error in close.rel_error.values()))
    return Verdict(artefact.name, Parity(close.rel_error, bound, close.n), figures, drop=_lost(figures[AGREEMENT]))


def _lost(agreement: Measurement) -> Measurement:
    """Return 100 less the agreement, in points."""
    low, high = (None if bound is None else 100 - bound for bound in (agreement.high, agreement.low))
    return replace(agreement, value=100 - agreement.value, low=low, high=high, unit="points")


def _gate(artefact: Artefact, agreement: Measurement, judge: AgreementJudge, worst: str, floor: Floor) -> Gate:
    limit = LEAST_FP32 if artefact.precision == "fp32" else floor.percent
    passed = agreement.value >= limit
    missed = "" if passed else f", missed by {limit - agreement.value:.2f}"
    rule = f"output '{worst}', {judge.text(worst)}"
    text = f"{artefact.name}: agrees with FP32 in {agreement.text(2)} ({rule}; at least {limit:g} %{missed})"
    return Gate(artefact.name, "min_agreement", limit, agreement.value, passed, text)


def _outputs(model: Model, feeds: Frames, shown: Bar) -> Iterator[dict[str, NDArray[Any]]]:
    for fed in feeds:
        yield model.infer(fed)
        shown.advance()


def artefact_model(bundle: Bundle, artefact: Artefact, threads: int, simulated: bytes | None = None) -> Model:
    """Return `artefact` loaded into its engine; the caller closes it.

    With `simulated`, the ONNX file that it was compiled from, that is loaded into ONNX Runtime in its place.
    """
    open_engine = resolve("engine", artefact.engine if simulated is None else STAND_IN)
    codec = codec_of(bundle.manifest)
    files = bundle.files_of(artefact) if simulated is None else {"model.onnx": simulated}
    options = {**(artefact.options if simulated is None else {"integer_kernels": False}), "threads": threads}
    engine = open_engine(files, artefact.inputs, artefact.outputs, options)
    return Model(bundle, artefact, engine, codec, candidates=True)
