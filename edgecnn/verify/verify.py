"""Verify a bundle on labelled frames: every artefact through its own engine, from camera frame to result."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from edgecnn.core.bundle import Artefact
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
) -> VerifyResult:
    """Return parity, accuracy, drops and gates of the named artefacts; gallery pictures go below `out`.

    The reference is the first FP32 artefact, or the first of all where there is none. `uncompressed` is the network
    before its steps of compression as ONNX, if it had any: then losses are counted from there too, and gated so.
    """
    if not samples:
        raise DataError("the validation set holds no frames")
    with ExitStack() as stack:
        models: dict[str, Model] = {
            name: stack.enter_context(closing(load(bundle, artefact=name, threads=threads, candidates=True)))
            for name in artefacts
        }
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
        verdicts.append(
            Verdict(
                artefact=name,
                parity=parities[name],
                figures=figures(metric, scores.scores, name),
                by_tag=by_tag(metric, scores.scores, samples, task.figure, name),
                drop=_drop(metric, found, name, reference, task.figure),
                total_drop=None if whole is None else drop(metric, whole.scores, scores.scores, task.figure, name),
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


def _drop(metric: Metric, found: dict[str, Scores], name: str, reference: str, figure: str) -> Measurement | None:
    if name == reference:
        return None
    return drop(metric, found[reference].scores, found[name].scores, figure, name)


def tolerance_of(artefact: Artefact, settings: VerifySection) -> float:
    """Return the bound on an artefact's parity error: the one it was sealed with, or its precision's."""
    if artefact.parity is not None:
        return artefact.parity.tolerance
    return settings.tolerance_fp32 if artefact.precision == "fp32" else settings.tolerance_int8
