"""The loss of CenterNet (arXiv 1904.07850) and CSP (arXiv 1904.02948): where objects are, how large, and where exactly.

Of the centres' map, focal loss whose penalty falls towards each centre (CornerNet, arXiv 1808.01244), over the number
of objects; of size and offset, smooth L1 over the objects' weights.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

ALPHA, BETA = 2.0, 4.0
LEAST = 1e-6
SIZE_WEIGHT, OFFSET_WEIGHT = 1.0, 1.0
SIZE_BEND, OFFSET_BEND = 0.1, 0.25
"""Errors below which the loss bends from a line to a parabola: a tenth of a size, a quarter of a cell."""


def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the terms `heat`, `size` and `offset`, each a scalar.

    `outputs` are `heat` [N, C, h, w], probabilities, `size` and `offset` [N, 2, h, w]; `targets` what the codec
    `centres` encodes, with a batch axis.
    """
    return {
        "heat": focal(outputs["heat"].float(), targets["heat"], targets["care"]),
        "size": SIZE_WEIGHT * _distance(outputs["size"], targets["size"], targets["weight"], SIZE_BEND),
        "offset": OFFSET_WEIGHT * _distance(outputs["offset"], targets["offset"], targets["weight"], OFFSET_BEND),
    }


def focal(found: Tensor, wanted: Tensor, care: Tensor) -> Tensor:
    """Return the penalty-reduced focal loss of probabilities over the number of centres, where `wanted` is 1."""
    centre = wanted == 1
    there = (1 - found) ** ALPHA * (found + LEAST).log()
    empty = care * (1 - wanted) ** BETA * found**ALPHA * (1 - found + LEAST).log()
    return -torch.where(centre, there, empty).sum() / centre.sum().clamp(min=1)


def _distance(found: Tensor, wanted: Tensor, weight: Tensor, bend: float) -> Tensor:
    apart = F.smooth_l1_loss(found.float(), wanted, reduction="none", beta=bend).mean(1)
    return (weight * apart).sum() / weight.sum().clamp(min=1)
