"""Verify a bundle on labelled frames: every artefact through its own engine, from camera frame to result."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import MappingProxyType

import numpy as np
from msgspec.structs import replace

from edgecnn.core.bundle import Artefact, open_bundle
from edgecnn.core.errors import DataError
from edgecnn.core.evidence import Gate, Verdict, VerifyResult
from edgecnn.core.gate_rule import check
from edgecnn.core.measure import Measurement
from edgecnn.core.progress import bar
from edgecnn.core.recipe import VerifySection
from edgecnn.core.registry import TASKS, resolve
from edgecnn.data.sample import Sample
from edgecnn.metrics.metric import Metric
from edgecnn.runtime import Model, load
from edgecnn.verify.accuracy import Scores, by_tag, drop, figures, judge
from edgecnn.verify.agreement import artefact_model
from edgecnn.verify.gallery import gallery
from edgecnn.verify.gates import gates
from edgecnn.verify.parity import parity
from edgecnn.verify.slice_gates import slice_gate
from edgecnn.verify.uncompressed import ENGINE, UNCOMPRESSED, open_uncompressed


def verify(
    bundle: Path,
    artefacts: Sequence[str],
    samples: Sequence[Sample],
    settings: VerifySection,
    threads: int,
    out: Path,
    uncompressed: Path | None = None,
    simulated: Mapping[str, bytes] = MappingProxyType({}),
) -> VerifyResult:
    """Return parity, accuracy, drops and gates of the named artefacts; gallery pictures go below `out`.

    The reference is the first FP32 artefact, or the first of all where there is none. `uncompressed` is the network
    before its steps of compression as ONNX, if it had any: then losses are counted from there too, and gated so.
    What `simulated` has an ONNX file for, since its engine is not here, runs as that in ONNX Runtime; its figures are
    `emulated`.
    """
    if not samples:
        raise DataError("the validation set holds no frames")
    with ExitStack() as stack:
        models = {name: stack.enter_context(closing(_opened(bundle, name, threads, simulated))) for name in artefacts}
        task = TASKS[next(iter(models.values())).bundle.manifest.task]
        metric: Metric = resolve("metric", task.metric)()
        precisions = {name: model.artefact.precision for name, model in models.items()}
        reference = next((name for name in models if precisions[name] == "fp32"), artefacts[0])
        judged: dict[str, Model] = dict(models)
        if uncompressed is not None:
            judged[UNCOMPRESSED] = stack.enter_context(closing(open_uncompressed(bundle, uncompressed, threads)))
        with bar("verifying", len(samples)) as shown:
            found = judge(dict(judged), samples, metric, shown.advance)
        tolerance = {name: tolerance_of(model.artefact, settings) for name, model in models.items()}
        parities = {name: parity(model, tolerance[name]) for name, model in models.items()}
    whole = found.pop(UNCOMPRESSED, None)
    if np.isnan(metric.totals(found[reference].scores)[task.figure]):
        raise DataError(f"the validation frames hold nothing that {task.figure} speaks of; give frames that do")
    sliced = _slice_gates(found, samples, metric, settings)
    codec = models[reference].codec
    for scores in found.values():
        scores.results = [codec.sure(result) for result in scores.results]
    verdicts = []
    for name, scores in found.items():
        lost = {
            "drop": _drop(metric, found, name, reference, task.figure),
            "total_drop": None if whole is None else drop(metric, whole.scores, scores.scores, task.figure, name),
        }
        told = {key: one for key, one in lost.items() if one is not None}
        verdicts.append(
            Verdict(
                artefact=name,
                parity=parities[name],
                figures=_how(figures(metric, scores.scores, name), emulated=name in simulated),
                by_tag=by_tag(metric, scores.scores, samples, task.figure, name),
                **_how(told, emulated=name in simulated),
            )
        )
    return VerifyResult(
        reference=reference,
        metric=metric.name,
        figure=task.figure,
        frames=len(samples),
        verdicts=tuple(verdicts),
        gates=(*gates(verdicts, reference, task.figure, settings), *sliced),
        gallery=gallery(out, samples, found, reference, metric, task.figure),
        uncompressed=figures(metric, whole.scores, ENGINE) if whole is not None else {},
    )


def _slice_gates(
    found: dict[str, Scores], samples: Sequence[Sample], metric: Metric, settings: VerifySection
) -> tuple[Gate, ...]:
    metrics = {metric.name: metric}
    rules = [check(text, {metric.name: metric.higher_is_better}) for text in settings.gates]
    return tuple(
        slice_gate(rule, name, scores.results, samples, metrics) for name, scores in found.items() for rule in rules
    )


def _opened(bundle: Path, name: str, threads: int, simulated: Mapping[str, bytes]) -> Model:
    if name not in simulated:
        return load(bundle, artefact=name, threads=threads, candidates=True)
    opened = open_bundle(bundle)
    return artefact_model(opened, opened.artefact(name), threads, simulated[name])


def _how(found: dict[str, Measurement], *, emulated: bool) -> dict[str, Measurement]:
    return {name: replace(one, how="emulated") for name, one in found.items()} if emulated else found


def _drop(metric: Metric, found: dict[str, Scores], name: str, reference: str, figure: str) -> Measurement | None:
    if name == reference:
        return None
    return drop(metric, found[reference].scores, found[name].scores, figure, name)


def tolerance_of(artefact: Artefact, settings: VerifySection) -> float:
    """Return the bound on an artefact's parity error: the one it was sealed with, or its precision's."""
    if artefact.parity is not None:
        return artefact.parity.tolerance
    return settings.tolerance_fp32 if artefact.precision == "fp32" else settings.tolerance_int8
