"""Batch norm statistics taken anew: a layer that lost channels, or whose inputs did, sees another distribution."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

BATCHES = 16
"""How many batches statistics are taken from."""


def values_per_channel(layer_input: Tensor) -> int:
    """Return how many numbers of each channel a batch norm sees in an input [N, C, ...]."""
    return layer_input.numel() // max(layer_input.shape[1], 1)


@torch.no_grad()
def reestimate(module: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> None:
    """Set the running mean and variance of every batch norm to the plain average over `batches`, in place.

    Weights stay, and so do the statistics of a batch norm that never sees more than one number of each channel, which
    has no variance. A module without batch norm is left alone, and `batches` is not read then. `module` is left in eval
    mode.
    """
    norms = [layer for layer in module.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
    module.eval()
    if not norms:
        return
    before = [(layer.momentum, {name: each.clone() for name, each in layer.named_buffers()}) for layer in norms]
    hooks = [layer.register_forward_pre_hook(_learn_from_several) for layer in norms]
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None
    try:
        for inputs in batches:
            module(*inputs)
    finally:
        for layer, hook, (momentum, buffers) in zip(norms, hooks, before, strict=True):
            hook.remove()
            layer.momentum = momentum
            if not layer.num_batches_tracked:
                for name, each in layer.named_buffers():
                    each.copy_(buffers[name])
        module.eval()


def _learn_from_several(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
    layer.train(values_per_channel(inputs[0]) > 1)
