"""Learning rate and weight averaging."""

import math

import torch
from torch import nn


def learning_rate(step: int, total: int, warmup: int, peak: float) -> float:
    """Return the rate at `step`: linear warm-up to `peak`, then a cosine down to 1% of it (arXiv 1608.03983)."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(total - warmup, 1)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


@torch.no_grad()
def average_into(average: nn.Module, module: nn.Module, decay: float, step: int) -> None:
    """Move `average`'s parameters towards `module`'s; buffers (batch norm statistics) are averaged likewise.

    The decay rises with the steps taken, min(decay, (1 + step) / (10 + step)), so early weights are soon forgotten.
    """
    decay = min(decay, (1 + step) / (10 + step))
    for kept, new in zip(average.state_dict().values(), module.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)
