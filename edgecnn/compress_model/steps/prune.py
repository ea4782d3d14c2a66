"""The prune step: rounds of cutting and recovery until the network is as fast as it shall be, or as good as it must."""

import itertools
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec
from torch import nn

from edgecnn.compress.prune.groups import find_groups
from edgecnn.compress.prune.predict import LatencyPrediction
from edgecnn.compress_model.context import Context, Outcome, fitting, unchanged
from edgecnn.compress_model.measure_network import parameters_of
from edgecnn.compress_model.predictor import FIT, predicted_elsewhere, predictor
from edgecnn.compress_model.progress import remembered
from edgecnn.compress_model.pruning import CLOSE_ENOUGH, Cut, OutOfReachError, Pruning
from edgecnn.compress_model.steps import finetune
from edgecnn.core import evidence
from edgecnn.core.compress_evidence import PruneRound
from edgecnn.core.compression import PruneStep
from edgecnn.core.errors import GateError
from edgecnn.core.evidence import Epoch

BEGUN = "begun.json"


class _Begun(msgspec.Struct, frozen=True):
    """What was measured before the first round; measured anew it could say that finished rounds were not to be.

    Attributes:
        start: how many times as fast as the uncompressed network the step's module is.
        whole: ms of one inference of the uncompressed network.
        verdict: whether pruning can help, in words; it was gone on with.
    """

    start: float
    whole: float
    verdict: str


def run(settings: PruneStep, module: nn.Module, context: Context) -> Outcome:
    """Return `module` with fewer channels.

    Raises:
        GateError: the goal can't be reached, and the step says `stop`.
        EngineError: the target's engine refuses the module.
    """
    try:
        return _run(settings, module, replace(context, clock=context.clock.at(settings.precision)))
    except GateError:
        # Who tries again has it measured again.
        for name in (BEGUN, FIT):
            (context.folder / name).unlink(missing_ok=True)
        raise


def _run(settings: PruneStep, module: nn.Module, context: Context) -> Outcome:
    target = settings.target or context.target
    names = [name for name, _ in module.named_modules() if name]
    keep = tuple(fitting(settings.keep, names, "prune.keep"))
    groups = find_groups(module, context.subject.example, keep)
    refused = dict(groups.refused)
    if not groups.groups:
        return _useless(settings, module, "pruning can't help: no group of channels can be cut", refused, context)
    source = settings.times
    away = predicted_elsewhere(module, groups, context, source, settings.floor) if source else None
    file = context.folder / BEGUN
    begun = evidence.read(file, _Begun) if file.is_file() else None
    start, whole = _start(module, context, target, away) if begun is None else (begun.start, begun.whole)
    goal = settings.speedup or (whole / settings.latency_ms if settings.latency_ms else None)
    if begun is None and goal is not None and start >= goal:
        text = f"nothing to prune: {start:.2f}x is reached already, {goal:.2f}x was asked for"
        return Outcome(module, verdict=text, refused=refused)
    predict = predictor(module, groups, context, target, settings.floor) if away is None else away[0]
    pruning = Pruning(settings, context, target, groups, predict, start, keep)
    if begun is None:
        verdict = pruning.verdict(goal)
        context.say(verdict.text)
        if not verdict.helps and settings.unhelpful != "try":
            return _useless(settings, module, verdict.text, refused, context)
        begun = _Begun(start, whole, verdict.text)
        evidence.write(file, begun)
    last = _pruned(pruning, module, goal)
    widths = {group.name: (group.channels, len(last.kept[group.name])) for group in groups.groups}
    notes = last.notes if away is None else (*last.notes, f"speedups of its rounds are predicted for {predict.on}")
    return Outcome(last.module, begun.verdict, widths, refused, last.rounds, last.curve, notes)


def _start(
    module: nn.Module, context: Context, target: str, away: tuple[LatencyPrediction, float] | None
) -> tuple[float, float]:
    """Return how many times as fast as the uncompressed network `module` is, and that network's time in ms."""
    if away is not None:
        return away[1] / away[0].milliseconds({}), away[1]
    timed = context.clock.time(module, target)
    return 1.0 if unchanged(module, context.subject.original) else timed.speedup.value, timed.original.value


def _useless(
    settings: PruneStep, module: nn.Module, verdict: str, refused: dict[str, str], context: Context
) -> Outcome:
    """Return the module as it came, or stop the run."""
    if settings.unhelpful == "stop":
        raise GateError(f"{verdict}; leave the step out, or set its `unhelpful` to skip or try")
    context.say("prune: skipped")
    return Outcome(module, verdict=verdict, refused=refused, notes=("skipped, as pruning can't help",))


@dataclass(frozen=True, slots=True)
class _State:
    """How far pruning has come: the last round that holds, and what was tried."""

    module: nn.Module
    kept: dict[str, list[int]]
    rounds: tuple[PruneRound, ...] = ()
    curve: tuple[Epoch, ...] = ()
    notes: tuple[str, ...] = ()

    def noted(self, *notes: str) -> "_State":
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))))


class _Done(msgspec.Struct, frozen=True):
    """What is to be known of a finished round beside its module."""

    kept: dict[str, list[int]]
    round: PruneRound
    curve: tuple[Epoch, ...]
    notes: tuple[str, ...]


def _pruned(pruning: Pruning, module: nn.Module, goal: float | None) -> _State:
    """Return the module after the last round that holds."""
    state = _State(module, pruning.whole())
    for number, ask in enumerate(_goals(pruning, goal)):
        # Without a goal any round may be the last one.
        last = goal is None or math.isclose(ask, goal)
        try:
            after, done = _round(pruning, state, ask, number, last=last)
        except OutOfReachError as error:
            # What earlier rounds were trained for is not thrown away.
            if goal is not None and not state.rounds and pruning.settings.unhelpful == "stop":
                raise GateError(f"{error}; or set its `unhelpful` to skip or try") from error
            return state.noted(str(error))
        pruning.context.say(_told(number, pruning, done.round))
        rounds = (*state.rounds, done.round)
        if not done.round.kept:
            note = f"round {number + 1} was undone: it broke the floor of {pruning.settings.max_drop:g} points"
            return replace(state, rounds=rounds).noted(note)
        state = replace(state, module=after, kept=done.kept, rounds=rounds, curve=done.curve).noted(*done.notes)
        if last and done.round.speedup.value < ask * (1 - CLOSE_ENOUGH):
            return state.noted(f"{ask:.2f}x was asked for, and {done.round.speedup.value:.2f}x is what could be cut to")
    return state


def _goals(pruning: Pruning, goal: float | None) -> Iterator[float]:
    """Yield the speedup to reach in each round, against the uncompressed network."""
    settings, start = pruning.settings, pruning.start
    if goal is None:
        yield from (start * settings.stride**power for power in itertools.count(1))
        return
    shares = settings.shares or tuple((number + 1) / settings.steps for number in range(settings.steps))
    yield from (start * (goal / start) ** share for share in shares)


def _round(pruning: Pruning, state: _State, ask: float, number: int, *, last: bool) -> tuple[nn.Module, _Done]:
    """Cut and recover, or read what a killed run had done of that."""
    original, folder = pruning.context.subject.original, pruning.context.folder

    def cut() -> tuple[nn.Module, Cut]:
        try:
            return pruning.cut_to(state.module, state.kept, ask, last=last)
        except OutOfReachError:
            if pruning.settings.unhelpful != "try":
                raise
            return pruning.cut_to_the_fastest(state.module, state.kept)

    def recover() -> tuple[nn.Module, _Done]:
        smaller, made = remembered(folder / f"cut{number}", original, Cut, cut)
        return _recovered(pruning, smaller, made, ask, number)

    found = remembered(folder / f"round{number}", original, _Done, recover)
    shutil.rmtree(folder / _checkpoints(number), ignore_errors=True)
    return found


def _checkpoints(number: int) -> str:
    return f"recover{number}"


def _recovered(pruning: Pruning, smaller: nn.Module, made: Cut, ask: float, number: int) -> tuple[nn.Module, _Done]:
    settings, context = pruning.settings, pruning.context
    judge = context.subject.judge
    scores = judge.scores(smaller)
    figure = judge.figure(scores)
    module = smaller
    curve: tuple[Epoch, ...] = ()
    notes: tuple[str, ...] = ()
    if settings.recover is not None:
        found = finetune.recovered(smaller, settings.recover, context, _checkpoints(number))
        module, curve, notes = found.module, found.curve, finetune.notes(found)
        scores = judge.scores(module)
    lost = judge.drop(context.scores, scores).value
    record = PruneRound(
        goal=ask,
        predicted=made.predicted,
        speedup=made.speedup,
        cut=figure,
        figure=judge.figure(scores),
        parameters=parameters_of(module),
        kept=settings.max_drop is None or lost <= settings.max_drop,
    )
    return module, _Done(made.kept, record, curve, notes)


def _told(number: int, pruning: Pruning, done: PruneRound) -> str:
    name = pruning.context.subject.judge.name
    return (
        f"prune, round {number + 1}: {done.speedup.value:.2f}x ({done.predicted.value:.2f}x predicted), {name} "
        f"{done.cut.value:.3f} after the cut, {done.figure.value:.3f} after recovery, {done.parameters:,} parameters"
        + ("" if done.kept else "; undone")
    )
