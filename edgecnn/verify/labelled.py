"""A verdict of agreement, judged again on labelled frames by the task's own metric."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace

from edgecnn.core.bundle import open_bundle
from edgecnn.core.errors import EngineError
from edgecnn.core.evidence import Gate, Verdict, VerifyResult
from edgecnn.core.progress import bar
from edgecnn.core.registry import TASKS, resolve
from edgecnn.data.sample import Sample
from edgecnn.metrics.metric import Metric
from edgecnn.verify.accuracy import Scores, drop, figures, judge
from edgecnn.verify.agreement import RUNS, artefact_model
from edgecnn.verify.gates import drop_gate


def verify_labelled(
    found: VerifyResult,
    bundle: Path,
    samples: Sequence[Sample],
    max_drop: float,
    threads: int,
    simulated: Mapping[str, bytes] = MappingProxyType({}),
) -> VerifyResult:
    """Return `found` with the figures of the bundle's task beside agreement, and drops in points of its figure.

    What an artefact of FP32 decides is still gated by agreement; the compressed ones' gate is that they lose at most
    `max_drop` points. What `simulated` has an ONNX file for runs as that in ONNX Runtime; its figures are `emulated`.
    """
    opened = open_bundle(bundle)
    task = TASKS[opened.manifest.task]
    metric: Metric = resolve("metric", task.metric)()
    scores: dict[str, Scores] = {}
    gates = [gate for gate in found.gates if not gate.passed and gate.rule == RUNS]
    judged = [opened.artefact(verdict.artefact) for verdict in found.verdicts]
    with bar("verifying with labels", len(judged) * len(samples)) as shown:
        for artefact in judged:
            try:
                with closing(artefact_model(opened, artefact, threads, simulated.get(artefact.name))) as model:
                    scores |= judge({artefact.name: model}, samples, metric, shown.advance)
            except EngineError as error:
                gates.append(Gate(artefact.name, RUNS, 1, 0, passed=False, text=f"{artefact.name}: {error}"))
    verdicts = []
    for verdict in (one for one in found.verdicts if one.artefact in scores):
        emulated = verdict.artefact in simulated
        verdicts.append(_labelled(verdict, scores, found.reference, metric, task.figure, emulated=emulated))
    floats = {artefact.name for artefact in judged if artefact.precision == "fp32"}
    gates += [gate for gate in found.gates if gate.rule != RUNS and gate.artefact in floats & scores.keys()]
    gates += [drop_gate(one, task.figure, max_drop) for one in verdicts if one.artefact not in floats and one.drop]
    return replace(
        found,
        metric=metric.name,
        figure=task.figure,
        frames=len(samples),
        verdicts=tuple(verdicts),
        gates=tuple(gates),
    )


def _labelled(
    verdict: Verdict, scores: dict[str, Scores], reference: str, metric: Metric, figure: str, *, emulated: bool
) -> Verdict:
    name, own = verdict.artefact, scores[verdict.artefact].scores
    added = figures(metric, own, name)
    lost = None
    if name != reference and reference in scores:
        lost = drop(metric, scores[reference].scores, own, figure, name)
    if emulated:
        added = {key: replace(one, how="emulated") for key, one in added.items()}
        lost = lost and replace(lost, how="emulated")
    return replace(verdict, figures={**verdict.figures, **added}, drop=lost)
