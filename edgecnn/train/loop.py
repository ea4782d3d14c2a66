"""The training loop. Every epoch ends in a checkpoint; on a CPU a resumed run is bit for bit the run not cut."""

import copy
import random
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from edgecnn.core.errors import StageError
from edgecnn.core.evidence import Epoch
from edgecnn.core.progress import Bar, bar
from edgecnn.core.recipe import TrainSection
from edgecnn.models.answers import tensors
from edgecnn.train.checkpoint import load_state, save_state, save_weights
from edgecnn.train.dataset import TrainingData
from edgecnn.train.distill import Distillation
from edgecnn.train.modes import TrainingMode
from edgecnn.train.muon import Muon
from edgecnn.train.schedule import average_into, learning_rate
from edgecnn.train.strided import pixels_taken_first

Loss = Callable[[dict[str, Tensor], dict[str, Tensor]], dict[str, Tensor]]
Monitor = Callable[[nn.Module], float]


@dataclass
class Progress:
    """Where the training stands; what the checkpoint carries beside tensors."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_figure: float = float("-inf")
    stale: int = 0
    curve: tuple[Epoch, ...] = ()


@dataclass(frozen=True)
class Training:
    """All that one training is given.

    `monitor` judges the averaged weights; greater is better. With a `distillation`, its terms join the loss.
    `after_step` may mend the weights after each step of the optimizer, as masks that must stay do. `mode` is what the
    module is trained in.
    """

    module: nn.Module
    data: TrainingData
    loss: Loss
    monitor: Monitor
    settings: TrainSection
    seed: int
    folder: Path
    output_names: tuple[str, ...]
    distillation: Distillation | None = None
    after_step: Callable[[nn.Module], None] | None = None
    mode: TrainingMode = field(default_factory=TrainingMode)

    def run(self) -> Progress:
        """Train to the end, from the last checkpoint in `folder` if there is one; leave the best weights there."""
        torch.set_num_threads(self.settings.threads)
        device = pick_device(self.settings.device)
        module = self.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = copy.deepcopy(module).eval().requires_grad_(requires_grad=False)
        if self.distillation is not None:
            self.distillation.to(device)
        optimizer = _optimizer((module, *self._adapters()), self.settings)
        progress = self._resume(module, average, optimizer)
        steps_per_epoch = len(self.data) // self.settings.batch_size
        watching = nullcontext() if self.distillation is None else self.distillation.watching(module)
        whole = bar("training", self.settings.epochs * steps_per_epoch)
        with whole as shown, watching, pixels_taken_first(module):
            shown.advance(progress.epoch * steps_per_epoch)
            while progress.epoch < self.settings.epochs and not self._stale(progress):
                self._epoch(module, average, optimizer, progress, shown)
                state = msgspec.to_builtins(progress)
                checkpoint = self.folder / "checkpoint.safetensors"
                save_state(checkpoint, module, average, optimizer, state, *self._adapters())
        return progress

    def _adapters(self) -> tuple[nn.Module, ...]:
        return () if self.distillation is None else (self.distillation.adapters,)

    def _stale(self, progress: Progress) -> bool:
        return 0 < self.settings.patience <= progress.stale

    def _resume(self, module: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
        checkpoint = self.folder / "checkpoint.safetensors"
        if not checkpoint.exists():
            return Progress()
        return msgspec.convert(load_state(checkpoint, module, average, optimizer, *self._adapters()), Progress)

    def _epoch(
        self, module: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, shown: Bar
    ) -> None:
        started = time.monotonic()
        _seed_all(self.seed, progress.epoch)
        self.data.epoch = progress.epoch
        losses, rate = [], 0.0
        self.mode.set(module)
        for frames, targets in batches(self.data, self.settings, self.seed + progress.epoch):
            rate = self._rate(progress.step)
            value = self._step(module, optimizer, frames, targets, rate)
            average_into(average, module, self.settings.ema_decay, progress.step)
            progress.step += 1
            losses.append(value)
            shown.advance(1, f"loss {np.mean(losses[-20:]):.3f} best {progress.best_figure:.4f}")
        progress.epoch += 1
        figure = self._judge(average, progress)
        seconds = time.monotonic() - started
        point = Epoch(progress.epoch, float(np.mean(losses)), rate, figure, round(seconds, 2))
        progress.curve = (*progress.curve, point)

    def _rate(self, step: int) -> float:
        per_epoch = len(self.data) // self.settings.batch_size
        warmup = round(self.settings.warmup_epochs * per_epoch)
        return learning_rate(step, self.settings.epochs * per_epoch, warmup, self.settings.learning_rate)

    def _step(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        frames: Any,
        targets: dict[str, Tensor],
        rate: float,
    ) -> float:
        for group in optimizer.param_groups:
            group["lr"] = rate
        total = torch.stack(list(self._terms(module, frames, targets).values())).sum()
        if not torch.isfinite(total):
            raise StageError("train: the loss is no longer finite; lower the learning_rate")
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), self.settings.grad_clip)
        optimizer.step()
        if self.after_step is not None:
            self.after_step(module)
        return float(total.detach())

    def _terms(self, module: nn.Module, frames: Any, targets: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the terms of the loss of one batch: those of the labels, and what the teacher says."""
        device = next(module.parameters()).device
        targets = {name: value.to(device, non_blocking=True) for name, value in targets.items()}
        half = self.settings.mixed_precision and has_bfloat16(device)
        labels = 1.0 if self.distillation is None else self.distillation.weights.labels
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            inputs = self.data.inputs(frames, module, device)
            answer = module(*inputs)
            terms: dict[str, Tensor] = {}
            if labels:
                named = dict(zip(self.output_names, tensors(answer), strict=True))
                terms = {name: labels * term for name, term in self.loss(named, targets).items()}
            if self.distillation is not None:
                terms |= self.distillation.terms(inputs, answer)
        return terms

    def _judge(self, average: nn.Module, progress: Progress) -> float | None:
        last = progress.epoch == self.settings.epochs
        if progress.epoch % self.settings.monitor_every and not last:
            return None
        figure = self.monitor(average)
        if figure > progress.best_figure:
            progress.best_figure, progress.best_epoch, progress.stale = figure, progress.epoch, 0
            save_weights(self.folder / "best.safetensors", average)
        else:
            progress.stale += 1
        return figure


def pick_device(wanted: str) -> torch.device:
    """Return the device meant by `auto`, `cpu` or `cuda`."""
    name = wanted if wanted != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 in hardware.

    bfloat16 has float32's range, so mixed precision needs no loss scaling; hardware without it trains in float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older torch can't tell
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def batches(data: TrainingData, settings: TrainSection, seed: int) -> DataLoader[Any]:
    """Return one epoch's shuffled batches. Worker processes start anew each epoch, so they see its number."""
    if settings.workers:
        # Before they fork: a child that ends OpenCV's pool of threads waits for ever for those its parent had.
        cv2.setNumThreads(1)
    return DataLoader(
        data,  # type: ignore[arg-type]
        settings.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=settings.workers,
        worker_init_fn=_single_thread,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator().manual_seed(seed),
    )


def _single_thread(_worker: int) -> None:
    torch.set_num_threads(1)


def _seed_all(seed: int, epoch: int) -> None:
    mixed = int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])
    random.seed(mixed)
    torch.manual_seed(mixed)


def _optimizer(modules: Iterable[nn.Module], settings: TrainSection) -> torch.optim.Optimizer:
    """Return an optimizer that decays matrices and kernels only, not biases and batch norm."""
    parameters = [p for module in modules for p in module.parameters()]
    if settings.optimizer == "muon":
        return Muon(parameters, settings.learning_rate, settings.weight_decay)
    decayed = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)
