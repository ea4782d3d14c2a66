"""Batch norm statistics taken anew: a layer that lost channels, or whose inputs did, sees another distribution."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def reestimate(module: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> None:
    """Set the running mean and variance of every batch norm to the plain average over `batches`, in place.

    Weights stay. A module without batch norm is left alone, and `batches` is not read then. `module` is left in eval
    mode.
    """
    norms = [layer for layer in module.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
    module.eval()
    if not norms:
        return
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    try:
        for inputs in batches:
            module(*inputs)
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
        module.eval()
