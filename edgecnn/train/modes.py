"""The mode a network is trained in: torch's training mode, unless the network answers something else there.

Detectors answer with raw maps in training and with decoded boxes otherwise, classifiers with what auxiliary branches
say besides. What is compressed is the network as it is used, so such a one learns as it is used.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgecnn.core.errors import InputError
from edgecnn.models.answers import tensors
from edgecnn.train.batch_norm import values_per_channel
from edgecnn.train.features import watched


@dataclass(frozen=True, slots=True)
class TrainingMode:
    """How the parts of a network stand while it is trained.

    Attributes:
        steady: whether all of it stays in eval mode but the batch norms.
        frozen: batch norms by name that keep their statistics, as they see a single number of each channel at a time.
    """

    steady: bool = False
    frozen: tuple[str, ...] = ()

    def set(self, module: nn.Module) -> None:
        """Put `module` into this mode."""
        module.train(not self.steady)
        for name, layer in module.named_modules():
            if isinstance(layer, _BatchNorm):
                layer.train(name not in self.frozen)

    def notes(self) -> tuple[str, ...]:
        """Return what is to be known of it."""
        found = []
        if self.steady:
            found.append("trained in eval mode but for its batch norms: in training mode it answers otherwise")
        if self.frozen:
            found.append(f"batch norms that see one number a channel kept their statistics: {', '.join(self.frozen)}")
        return tuple(found)


def mode_of(module: nn.Module, inputs: tuple[Tensor, ...]) -> TrainingMode:
    """Return the mode that `module` is to be trained in, found out on a copy of it.

    Args:
        module: any network.
        inputs: a batch of the size it is trained with.

    Raises:
        InputError: it has to be trained in eval mode, and what it answers there has no gradient.
    """
    copied = copy.deepcopy(module).eval()
    with torch.no_grad(), _single_numbers(copied) as found:
        used = _seen(copied, inputs)
    frozen = tuple(found)
    plain = TrainingMode(frozen=frozen)
    if _alike(copied, plain, inputs, used):
        return plain
    steady = TrainingMode(steady=True, frozen=frozen)
    steady.set(copied)
    with torch.enable_grad():
        if not any(answer.requires_grad for answer in tensors(copied(*inputs))):
            raise InputError(
                "the module answers otherwise in training mode, and its answers in eval mode have no gradient; give a "
                "module that answers with tensors that can be learnt from in both"
            )
    return steady


@contextmanager
def _single_numbers(module: nn.Module) -> Iterator[dict[str, None]]:
    """Gather the names of the batch norms that are given a single number of each channel."""
    found: dict[str, None] = {}

    def look(name: str) -> Any:
        def hook(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if values_per_channel(inputs[0]) <= 1:
                found[name] = None

        return hook

    norms = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, _BatchNorm)]
    hooks = [layer.register_forward_pre_hook(look(name)) for name, layer in norms]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a network answers, and the shapes of what its parts do."""

    answer: tuple[Tensor, ...]
    parts: dict[str, tuple[int, ...]]


def _seen(module: nn.Module, inputs: tuple[Tensor, ...]) -> _Seen:
    parts: dict[str, Tensor] = {}
    with watched(module, [name for name, _ in module.named_modules() if name], parts):
        # Some modules write into what they answered before, when they are called again.
        answer = tuple(one.clone() for one in tensors(module(*inputs)))
    return _Seen(answer, {name: tuple(one.shape) for name, one in parts.items()})


@torch.no_grad()
def _alike(module: nn.Module, mode: TrainingMode, inputs: tuple[Tensor, ...], used: _Seen) -> bool:
    """Return whether `module` answers in `mode` as it is `used`, by the same parts."""
    try:
        _train_what_contains(module)
        if not _close(_seen(module, inputs).answer, used.answer):
            return False
        mode.set(module)
        trained = _seen(module, inputs)
    except Exception:  # noqa: BLE001 - a stranger's module may fail in any way
        return False
    shapes = [[one.shape for one in seen.answer] for seen in (trained, used)]
    return shapes[0] == shapes[1] and used.parts.items() <= trained.parts.items()


def _train_what_contains(module: nn.Module) -> None:
    """Put what a stranger made of other modules into training mode; layers, which differ by design, into eval mode."""
    module.eval()
    for part in module.modules():
        layer = isinstance(part, _BatchNorm) or type(part).__module__.startswith("torch.nn.")
        part.training = not layer and any(True for _ in part.children())


def _close(given: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> bool:
    if [one.shape for one in given] != [one.shape for one in wanted]:
        return False
    pairs = [(one.double(), other.double()) for one, other in zip(given, wanted, strict=True) if other.numel()]
    return all(
        torch.allclose(one, other, 1e-3, 1e-3 * float(other.abs().amax()), equal_nan=True) for one, other in pairs
    )
