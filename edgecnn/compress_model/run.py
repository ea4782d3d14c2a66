"""The steps of a compression in their order, each judged and timed against the uncompressed network."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from torch import nn

from edgecnn.compress_model.clock import Clock
from edgecnn.compress_model.context import Context, Mend, Outcome
from edgecnn.compress_model.measure_network import measure_network
from edgecnn.compress_model.progress import Steps
from edgecnn.compress_model.steps import finetune, low_rank, prune, sparsify
from edgecnn.compress_model.subject import Subject
from edgecnn.core.compress_evidence import CompressedStep, CompressResult, NetworkFigures
from edgecnn.core.compression import LowRankStep, PruneStep, SparsifyStep
from edgecnn.core.recipe import CompressStep

STEPS: dict[str, Callable[[Any, nn.Module, Context], Outcome]] = {
    "low_rank": low_rank.run,
    "prune": prune.run,
    "finetune": finetune.run,
    "sparsify": sparsify.run,
}
"""Steps on the torch module; `qat` and `quantize` come after export."""


def compress(
    subject: Subject,
    steps: Sequence[CompressStep],
    targets: Sequence[str],
    folder: Path,
    *,
    threads: int,
    seconds: float,
) -> tuple[nn.Module, CompressResult]:
    """Return the compressed module in eval mode, and the way there.

    Args:
        subject: what is compressed.
        steps: what is done with it, in this order; those that are not on the torch module are passed over.
        targets: where it is to run; the first is what steps are timed in that name none.
        folder: where finished steps are kept until the caller has the result; a killed run goes on there.
        threads: of the engines.
        seconds: how long each timing takes.

    Raises:
        GateError: measurement says that pruning can't reach the goal, and the step says `stop`.
        EngineError: a target's engine refuses the module.
    """
    doing = [step for step in steps if step.name in STEPS]
    timed = _timed_in(doing, targets)
    clock = Clock(subject, threads, seconds)
    scores = subject.judge.scores(subject.original)
    kept = Steps(folder, subject.original)
    module, mend = subject.original, None
    way: list[CompressedStep] = []
    for finished in kept.finished():
        module, mend = finished.module, _mend_after(doing[len(way)], finished.module, mend)
        way.append(finished.step)
    first = measure_network(subject.original, subject, clock, scores, timed)
    _say(f"uncompressed: {_told(subject, first)}")
    for place in range(len(way), len(doing)):
        step = doing[place]
        context = Context(subject, clock, scores, targets[0], kept.work(place), mend, _say)
        begun = time.monotonic()
        outcome = STEPS[step.name](step.settings, module, context)
        module, mend = outcome.module, outcome.mend or mend
        figures = measure_network(module, subject, clock, scores, timed)
        done = _record(step, outcome, figures, time.monotonic() - begun)
        kept.finish(place, module, done)
        way.append(done)
        _say(f"{step.name}: {_told(subject, figures)}")
    versions = dict(subject.versions)
    judge = subject.judge
    return module, CompressResult(
        figure=judge.name,
        frames=judge.frames,
        original=first,
        steps=tuple(way),
        notes=subject.notes,
        versions=versions,
    )


def _timed_in(steps: Sequence[CompressStep], targets: Sequence[str]) -> list[str]:
    named = [step.settings.target for step in steps if isinstance(step.settings, (PruneStep, LowRankStep))]
    return list(dict.fromkeys([targets[0], *(name for name in named if name)]))


def _mend_after(step: CompressStep, module: nn.Module, mend: Mend | None) -> Mend | None:
    """Return what keeps the weights of a module that was loaded as `step` left it."""
    return sparsify.masks(step.settings, module).apply if isinstance(step.settings, SparsifyStep) else mend


def _record(step: CompressStep, outcome: Outcome, figures: NetworkFigures, seconds: float) -> CompressedStep:
    return CompressedStep(
        name=step.name,
        settings=msgspec.to_builtins(step.settings),
        result=figures,
        verdict=outcome.verdict,
        widths=outcome.widths,
        refused=outcome.refused,
        rounds=outcome.rounds,
        curve=outcome.curve,
        notes=outcome.notes,
        seconds=round(seconds, 1),
    )


def _told(subject: Subject, figures: NetworkFigures) -> str:
    parts = [f"{subject.judge.name} {figures.figure.text()}", f"{figures.parameters:,} parameters"]
    for target, latency in figures.latency.items():
        gain = f", {figures.speedup[target].value:.2f}x" if target in figures.speedup else ""
        parts.append(f"{latency.value:.2f} ms in {target}{gain}")
    return "; ".join(parts)


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()
