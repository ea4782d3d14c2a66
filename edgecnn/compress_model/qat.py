"""Quantization-aware training of a placed model: from the task's labels, and from the float network it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import onnx
import torch
from msgspec.structs import replace
from torch import Tensor, nn

from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.qat.fake_quantized import FakeQuantized
from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.core.compression import FinetuneStep, QatStep
from edgecnn.core.evidence import Epoch, QuantizedTensor
from edgecnn.core.recipe import TrainSection
from edgecnn.train.dataset import TrainingData
from edgecnn.train.loop import Loss, Monitor
from edgecnn.train.recover import Recovery

WARM_UP = 0.1


@dataclass(frozen=True, slots=True)
class Trained:
    """A quantized model after training.

    Attributes:
        model: the trained model, or the one it was where training made nothing better.
        start, figure: the monitor's figure before and after, greater is better.
        best_epoch: 0 where the start was best.
        curve: the learning curve.
        scales: by tensor, the scale it has now, of those that could move.
        broken: rules of the scheme that the trained model broke and the one before had not, so that it is not kept.
    """

    model: onnx.ModelProto
    start: float
    figure: float
    best_epoch: int
    curve: tuple[Epoch, ...]
    scales: Mapping[str, float]
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lessons:
    """What quantized networks learn from.

    Attributes:
        data: uint8 frames with encoded targets.
        monitor: judges a module that takes such frames; greater is better.
        base: how the network was first trained.
        seed: decides the order of batches.
        loss: what labels say of outputs; None where there are no labels.
        logits: outputs that are logits by name, with the axis their softmax runs along.
        told_by: outputs that count only where another one says that something is there, by name.
    """

    data: TrainingData
    monitor: Monitor
    base: TrainSection
    seed: int
    loss: Loss | None
    logits: Mapping[str, int]
    told_by: Mapping[str, str] = field(default_factory=dict)


@final
class FramesAsTheyAre:
    """The same items as `data`, given to modules that take uint8 frames [N, H, W, 3] themselves."""

    def __init__(self, data: TrainingData) -> None:
        self._data = data

    @property
    def epoch(self) -> int:
        """Which epoch the next items are for."""
        return self._data.epoch

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._data.epoch = value

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int) -> tuple[Any, dict[str, Tensor]]:
        """Return one item."""
        return self._data[index]

    def inputs(self, frames: Any, module: nn.Module, device: torch.device) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Return the frames."""
        return (frames.to(device, non_blocking=True),)


def frames_as_they_are(frames: Tensor, _module: nn.Module) -> tuple[Tensor, ...]:
    """Return uint8 frames as what a placed model is called with."""
    return (frames,)


def train_quantized(
    quantized: onnx.ModelProto, original: onnx.ModelProto, scheme: Scheme, lessons: Lessons, step: QatStep, folder: Path
) -> Trained:
    """Return `quantized` trained by `lessons`, taught by `original`, the float model it was placed in.

    Both take one uint8 frame. `folder` holds checkpoints: a training cut short goes on there.

    Raises:
        InputError: an operator of the model has no gradient here.
        StageError: the loss is no longer finite.
    """
    pupil, teacher = FakeQuantized(quantized), FakeQuantized(original)
    data: TrainingData = FramesAsTheyAre(lessons.data)
    example = (data[0][0][None],)
    for graph in (pupil, teacher):
        graph.frame_by_frame = not graph.batches(example)
    recovery = Recovery(
        data=data,
        monitor=lessons.monitor,
        # Rounding to 8 bits can't be learnt through bfloat16, which has as many.
        base=replace(lessons.base, mixed_precision=False),
        seed=lessons.seed,
        output_names=pupil.output_names,
        example=example,
        loss=lessons.loss,
        logits=lessons.logits,
        told_by=lessons.told_by,
    )
    # Inside, a placed graph has no modules whose maps could be compared.
    distill = replace(step.distill, features=0.0) if step.distill is not None else None
    settings = FinetuneStep(
        epochs=step.epochs, learning_rate=step.learning_rate, warmup_epochs=WARM_UP, distill=distill
    )
    found = recovery.finetune(pupil, teacher, settings, folder)
    best = found.module
    assert isinstance(best, FakeQuantized)  # noqa: S101 - recovery returns a copy of the module it was given
    if not found.best_epoch:
        return Trained(quantized, found.start, found.start, 0, found.curve, {})
    written, before = best.written(), set(violations(quantized, scheme))
    broken = tuple(rule for rule in violations(written, scheme) if rule not in before)
    if broken:
        return Trained(quantized, found.start, found.start, 0, found.curve, {}, broken)
    return Trained(written, found.start, found.figure, found.best_epoch, found.curve, best.scales())


def moved(tensors: Mapping[str, QuantizedTensor], scales: Mapping[str, float]) -> dict[str, QuantizedTensor]:
    """Return the record of quantized tensors with the scales that training gave them."""
    found = dict(tensors)
    for name, scale in scales.items():
        if name in found:
            one = found[name]
            ratio = scale / one.scale
            found[name] = replace(one, low=one.low * ratio, high=one.high * ratio, scale=scale, method="learned")
    return found
