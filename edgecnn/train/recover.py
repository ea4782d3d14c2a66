"""Recovery training: a compressed network learns again what compression cost, from labels, from the original, or both.

Every step that compresses is handed the same `Recovery`, so that what is compared was trained alike.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from msgspec.structs import replace
from torch import Tensor, nn

from edgecnn.core.compression import Distill, FinetuneStep
from edgecnn.core.errors import InputError
from edgecnn.core.evidence import Epoch
from edgecnn.core.recipe import TrainSection
from edgecnn.models.answers import tensors
from edgecnn.train.batch_norm import BATCHES, reestimate
from edgecnn.train.checkpoint import load_weights
from edgecnn.train.dataset import TrainingData
from edgecnn.train.distill import Distillation
from edgecnn.train.loop import Loss, Monitor, Progress, Training, batches
from edgecnn.train.modes import mode_of
from edgecnn.train.sensitivity import sensitivities


@dataclass(frozen=True, slots=True)
class Recovered:
    """A network after recovery, in eval mode.

    Attributes:
        module: the best weights, or those it came with where no epoch was better.
        start, figure: the monitor's figure before and after.
        best_epoch: 0 where the start was best.
        curve: the learning curve.
        teaching: the modules whose maps were held against the original's.
        notes: what is to be known of how it was trained.
    """

    module: nn.Module
    start: float
    figure: float
    best_epoch: int
    curve: tuple[Epoch, ...]
    teaching: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recovery:
    """All that recovery needs beside the network itself.

    Attributes:
        data: what is trained on.
        monitor: judges a module; greater is better.
        base: batch size, regularisation and machine, as the network was first trained.
        seed: decides the order of batches.
        output_names: the module's outputs, in its order.
        example: inputs of one forward pass.
        loss: what labels say of outputs; None where there are no labels.
        logits: outputs that are logits by name, with the axis their softmax runs along.
        told_by: outputs that count only where another one says that something is there, by name.
    """

    data: TrainingData
    monitor: Monitor
    base: TrainSection
    seed: int
    output_names: tuple[str, ...]
    example: tuple[Tensor, ...]
    loss: Loss | None = None
    logits: Mapping[str, int] = field(default_factory=dict)
    told_by: Mapping[str, str] = field(default_factory=dict)

    def finetune(
        self,
        module: nn.Module,
        teacher: nn.Module,
        settings: FinetuneStep,
        folder: Path,
        after_step: Callable[[nn.Module], None] | None = None,
    ) -> Recovered:
        """Return a trained copy of `module`; `teacher` is the uncompressed network.

        `folder` holds checkpoints: with the same arguments, a training cut short goes on there, and a finished one is
        read from there. Whoever calls removes it once the result is kept. `after_step` is called with the module after
        each step of the optimizer.

        Raises:
            InputError: there are neither labels nor a teacher to learn from, or `module` can't be trained.
        """
        weights = self._weights(settings)
        mode = mode_of(module, next(self.inputs(module, 1)))
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(self.seed)
        pupil = copy.deepcopy(module)
        start = self.monitor(pupil)
        distillation = None
        if weights is not None:
            place = {name: number for number, name in enumerate(self.output_names)}
            logits = {place[name]: axis for name, axis in self.logits.items()}
            told_by = {place[name]: place[teller] for name, teller in self.told_by.items()}
            distillation = Distillation(teacher, pupil, self.example, weights, logits, told_by)
        progress = Training(
            pupil,
            self.data,
            self.loss or _no_loss,
            self.monitor,
            self._section(settings),
            self.seed,
            folder,
            self.output_names,
            distillation,
            after_step,
            mode,
        ).run()
        teaching = () if distillation is None else tuple(pair.name for pair in distillation.pairs)
        return dataclasses.replace(self._best(module, start, progress, folder, teaching), notes=mode.notes())

    def settle(self, module: nn.Module) -> None:
        """Take batch norm statistics of `module` anew on training data, in place."""
        reestimate(module, self.inputs(module, BATCHES))

    def inputs(self, module: nn.Module, count: int) -> Iterator[tuple[Tensor, ...]]:
        """Yield the inputs of `module` of up to `count` training batches."""
        device = next(module.parameters()).device
        for inputs, _ in self._some(module, device, count):
            yield inputs

    def losses(self, module: nn.Module, teacher: nn.Module, count: int) -> Iterator[Callable[[nn.Module], Tensor]]:
        """Yield functions of a module that give a scalar whose gradient tells what matters in it.

        With labels one for each of `count` training batches, its loss. Without them one for each frame of those
        batches: its outputs with random signs, in units of the spread of `teacher`'s.

        Raises:
            InputError: there are no labels, and no output has a derivative.
        """
        if self.loss is None:
            yield from sensitivities(teacher, self.inputs(module, count), self.seed)
            return
        device = next(module.parameters()).device
        for inputs, targets in self._some(module, device, count):
            yield _Scalar(inputs, targets, self.loss, self.output_names)

    def _some(
        self, module: nn.Module, device: torch.device, count: int
    ) -> Iterator[tuple[tuple[Tensor, ...], dict[str, Tensor]]]:
        self.data.epoch = 0
        settings = replace(self._fitting(self.base), workers=0)
        for place, (frames, targets) in enumerate(batches(self.data, settings, self.seed)):
            if place == count:
                return
            moved = {name: value.to(device) for name, value in targets.items()}
            yield self.data.inputs(frames, module, device), moved

    def _weights(self, settings: FinetuneStep) -> Distill | None:
        weights = settings.distill
        if self.loss is None:
            if weights is None or not weights.outputs + weights.features:
                raise InputError("there are no labels here, so recovery learns from the original: set distill.outputs")
            weights = replace(weights, labels=0.0)
        return weights if weights is not None and weights.outputs + weights.features > 0 else None

    def _section(self, settings: FinetuneStep) -> TrainSection:
        return replace(
            self._fitting(self.base),
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            warmup_epochs=settings.warmup_epochs,
            monitor_every=settings.monitor_every,
            patience=settings.patience,
        )

    def _fitting(self, section: TrainSection) -> TrainSection:
        """Return `section` with a batch no larger than the data."""
        return replace(section, batch_size=min(section.batch_size, len(self.data)))

    def _best(
        self, module: nn.Module, start: float, progress: Progress, folder: Path, teaching: tuple[str, ...]
    ) -> Recovered:
        best = copy.deepcopy(module).cpu()
        better = progress.best_figure > start
        if better:
            load_weights(folder / "best.safetensors", best)
        figure = progress.best_figure if better else start
        return Recovered(best.eval(), start, figure, progress.best_epoch if better else 0, progress.curve, teaching)


@dataclass(frozen=True)
class _Scalar:
    """One batch, to be asked of a module."""

    inputs: tuple[Tensor, ...]
    targets: dict[str, Tensor]
    loss: Loss
    names: tuple[str, ...]

    def __call__(self, module: nn.Module) -> Tensor:
        answer = tensors(module(*self.inputs))
        return torch.stack(list(self.loss(dict(zip(self.names, answer, strict=True)), self.targets).values())).sum()


def _no_loss(_outputs: dict[str, Tensor], _targets: dict[str, Tensor]) -> dict[str, Tensor]:
    return {}
