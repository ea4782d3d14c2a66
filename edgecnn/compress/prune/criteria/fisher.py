"""Fisher: the curvature of the loss along a channel's gate, over a whole group.

Liu et al., Group Fisher Pruning for Practical Network Compression, arXiv 2108.00708. The division by what a channel
costs, which the paper does here, is left to the allocation.
"""

import torch
from torch import Tensor, nn

from edgecnn.compress.prune.criteria.gates import Losses, gate_gradients
from edgecnn.compress.prune.group import Groups


def importance(
    module: nn.Module, groups: Groups, _example: tuple[Tensor, ...], batches: Losses | None = None
) -> dict[str, Tensor]:
    """Return the mean over samples of (dL_n/dm)^2 / 2 of each channel's gate m: equation 5 of the paper.

    A group's layers share one gate, so their gradients are added before they are squared. In units of the loss.

    Raises:
        InputError: there are no batches.
    """
    found: dict[str, list[Tensor]] = {}
    for gradients in gate_gradients(module, groups, batches):
        for name, samples in gradients.items():
            found.setdefault(name, []).append(samples.square())
    return {name: (torch.cat(squares).mean(0) / 2).float() for name, squares in found.items()}
