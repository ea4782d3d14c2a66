"""Who takes part: the original, the original trained on, edgecnn, and torch-pruning at edgecnn's latency.

All get the same number of epochs of the same recovery training, taught by the original, with the same pauses: a round
after each of so many cuts, and the rest at the end.
"""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec.structs import replace
from peers import torch_pruning_peer
from pruning_subjects import Trained
from torch import nn

from edgecnn.compress_model.progress import load_module, save_module
from edgecnn.compress_model.run import compress
from edgecnn.compress_model.stopwatch import Stopwatch
from edgecnn.core import atomic
from edgecnn.core.compression import FinetuneStep
from edgecnn.core.registry import TARGETS

ORIGINAL, LONGER, OURS, PEER = "original", "original, trained on", "edgecnn", "torch-pruning, uniform"
TARGET = "openvino"
RACE_S = 2.0
RECORD = "record.json"


@dataclass(frozen=True, slots=True)
class Contest:
    """One network's contest.

    Attributes:
        trained: the network.
        folder: where finished contenders are kept; a run cut short goes on there.
        rounds: cuts on the way, an epoch of recovery after each.
        epochs: of recovery at the end.
        threads: of the engines.
        seconds: of one timing while edgecnn compresses.
    """

    trained: Trained
    folder: Path
    rounds: int
    epochs: int
    threads: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Made:
    """A contender's network, what is noteworthy of it, and the relative errors of latencies predicted on the way."""

    module: nn.Module
    notes: tuple[str, ...] = ()
    errors: tuple[float, ...] = ()


class _Record(msgspec.Struct, frozen=True):
    """What is kept of a contender beside its network."""

    notes: tuple[str, ...]
    errors: tuple[float, ...]


def contend(contest: Contest, *, longer: bool) -> dict[str, Made]:
    """Return every contender's network by name; the peer is brought to the latency that edgecnn reached."""
    made = {ORIGINAL: Made(contest.trained.subject.original)}
    if longer:
        made[LONGER] = _kept(contest, LONGER, lambda: _longer(contest))
    made[OURS] = _kept(contest, OURS, lambda: _edgecnn(contest))
    made[PEER] = _kept(contest, PEER, lambda: _peer(contest, made[OURS].module))
    return made


def _kept(contest: Contest, name: str, make: Callable[[], Made]) -> Made:
    """Make a contender's network, or take it from the folder."""
    original, place = contest.trained.subject.original, contest.folder / name.replace(" ", "-").replace(",", "")
    if not (place / RECORD).is_file():
        print(f"{contest.trained.name}: {name} ...", file=sys.stderr, flush=True)
        begun = time.perf_counter()
        made = make()
        record = _Record((*made.notes, f"{time.perf_counter() - begun:.0f} s"), made.errors)
        with atomic.new_folder(place) as folder:
            save_module(folder, made.module, original)
            (folder / RECORD).write_bytes(msgspec.json.encode(record))
    record = msgspec.json.decode((place / RECORD).read_bytes(), type=_Record)
    return Made(load_module(place, original), record.notes, record.errors)


def _longer(contest: Contest) -> Made:
    """The original with the recovery that all others get, so that what training alone brings is seen."""
    settings = replace(_last(contest), epochs=contest.rounds + contest.epochs)
    return Made(_recovered(contest, contest.trained.subject.original, settings, "longer"))


def _edgecnn(contest: Contest) -> Made:
    trained = contest.trained
    module, result = compress(
        trained.subject,
        trained.recipe.compress,
        [TARGET],
        contest.folder / "edgecnn-steps",
        threads=contest.threads,
        seconds=contest.seconds,
    )
    notes = [note for step in result.steps for note in (step.verdict, *step.notes) if note]
    cuts = [cut for step in result.steps for cut in step.rounds]
    notes += [f"predicted {cut.predicted.value:.2f}x, measured {cut.speedup.value:.2f}x" for cut in cuts]
    return Made(module, tuple(notes), tuple(cut.predicted.value / cut.speedup.value - 1 for cut in cuts))


def _peer(contest: Contest, ours: nn.Module) -> Made:
    subject, outputs = contest.trained.subject, contest.trained.plan.outputs
    opset = TARGETS[TARGET].opset
    wanted, stopwatch = subject.to_onnx(ours, opset), Stopwatch(TARGET, contest.threads)

    def relative_time(module: nn.Module) -> float:
        speedup = stopwatch.speedups([wanted, subject.to_onnx(module, opset)], RACE_S)[1]
        return 1 / speedup.value

    example = subject.example[0]
    share = torch_pruning_peer.share_for(subject.original, example, outputs, relative_time)
    rounds = iter(range(contest.rounds))

    def recover(module: nn.Module) -> nn.Module:
        return _recovered(contest, module, FinetuneStep(epochs=1), f"peer-{next(rounds)}")

    pruned = torch_pruning_peer.prune(subject.original, example, outputs, share, contest.rounds, recover)
    module = _recovered(contest, pruned, _last(contest), "peer-end")
    rounding = "any width" if share.round_to is None else f"widths in multiples of {share.round_to}"
    return Made(module, (f"{100 * share.ratio:.1f} % of every layer, {rounding}",))


def _recovered(contest: Contest, module: nn.Module, settings: FinetuneStep, part: str) -> nn.Module:
    subject, folder = contest.trained.subject, contest.folder / "recovery" / part
    found = subject.recovery.finetune(module, subject.original, settings, folder)
    # The networks of a contest made again are cut elsewhere, as times decide: no checkpoint would fit them.
    shutil.rmtree(folder, ignore_errors=True)
    return found.module


def _last(contest: Contest) -> FinetuneStep:
    """Return the recovery at the end, as edgecnn's steps have it."""
    return next(step.settings for step in contest.trained.recipe.compress if isinstance(step.settings, FinetuneStep))
