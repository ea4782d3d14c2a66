"""Gates on slices: a figure over some frames and objects, with its interval, against its bound."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgecnn.core.evidence import Gate
from edgecnn.core.gate_rule import GateRule
from edgecnn.core.measure import Measurement
from edgecnn.core.results import Result
from edgecnn.data.sample import Sample
from edgecnn.metrics.metric import Metric
from edgecnn.verify.accuracy import figures
from edgecnn.verify.slices import Sliced, cut


def slice_gate(
    rule: GateRule, artefact: str, results: Sequence[Result], samples: Sequence[Sample], metrics: Mapping[str, Metric]
) -> Gate:
    """Return the verdict of `rule` on one artefact's results; a slice that holds nothing fails.

    Args:
        rule: checked against `metrics` before.
        artefact: whose results they are.
        results: one a sample.
        samples: with the truth that the metrics judge by.
        metrics: by name; a figure without a metric's name is the first one's that has it.
    """
    metric, figure = metric_of(rule.figure, metrics)
    found = cut(rule.conditions, results, samples)
    measured = None if found.why_empty else measure(metric, figure, found, artefact)
    if measured is None:
        why = found.why_empty or f"{_count(len(found.frames), 'frame')} hold nothing that {figure} speaks of"
        text = f"{artefact}: {rule.slice_text} {rule.bound} {rule.limit:g} can't be judged: {why}"
        return Gate(artefact, rule.slice_text, rule.limit, 0.0, passed=False, text=text)
    passed = rule.holds(measured.value)
    interval = "" if measured.low is None else f" [{measured.low:.4f}, {measured.high:.4f}]"
    frames = _count(len(found.frames), "frame")
    over = f"{_count(found.objects, 'object')} in {frames}" if found.objects else frames
    missed = "" if passed else f", missed by {abs(rule.limit - measured.value):.4f}"
    text = (
        f"{artefact}: {rule.slice_text} {measured.value:.4f}{interval} over {over} "
        f"(bound {rule.bound} {rule.limit:g}{missed})"
    )
    return Gate(artefact, rule.slice_text, rule.limit, measured.value, passed, text)


def metric_of(name: str, metrics: Mapping[str, Metric]) -> tuple[Metric, str]:
    """Return the metric and the figure that `name` (`figure` or `metric.figure`) means."""
    metric, _, figure = name.rpartition(".")
    if metric:
        return metrics[metric], figure
    return next(one for one in metrics.values() if figure in one.higher_is_better), figure


def measure(metric: Metric, figure: str, found: Sliced, on: str) -> Measurement | None:
    """Return a figure over a slice with its interval; None where it is undefined there."""
    scores: list[Any] = [metric.score(result, truth) for result, truth in found.pairs]
    return figures(metric, scores, on, (figure,)).get(figure) if scores else None


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
