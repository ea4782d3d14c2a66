"""The loss of CenterNet (arXiv 1904.07850) and CSP (arXiv 1904.02948): where objects are, how large, and where exactly.

Of the centres' map, focal loss whose penalty falls towards each centre (CornerNet, arXiv 1808.01244), over the number
of objects. Of size and offset, smooth L1 over the objects' weights, of an offset in parts of the object's side: a box
whose side is off by a factor exp(d) overlaps the true one by about 1 - |d|, one that is shifted by a part d of its side
by about 1 - 2 |d|, so that both add up to what is missing of the IoU, for the small and the large alike.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

ALPHA, BETA = 2.0, 4.0
LEAST = 1e-6
BOX_WEIGHT, BEND = 2.0, 0.05
"""How much a box counts beside its centre, and the error below which the loss bends from a line to a parabola."""


def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the terms `heat`, `size` and `offset`, each a scalar.

    `outputs` are `heat` [N, C, h, w], probabilities, `size` and `offset` [N, 2, h, w]; `targets` what the codec
    `centres` encodes, with a batch axis.
    """
    weight, sides = targets["weight"], targets["size"].exp()
    size = _distance(outputs["size"].float(), targets["size"], weight)
    offset = _distance(outputs["offset"].float() / sides, targets["offset"] / sides, weight)
    return {
        "heat": focal(outputs["heat"].float(), targets["heat"], targets["care"]),
        "size": BOX_WEIGHT * size,
        "offset": BOX_WEIGHT * 2 * offset,
    }


def focal(found: Tensor, wanted: Tensor, care: Tensor) -> Tensor:
    """Return the penalty-reduced focal loss of probabilities over the number of centres, where `wanted` is 1."""
    centre = wanted == 1
    there = (1 - found) ** ALPHA * (found + LEAST).log()
    empty = care * (1 - wanted) ** BETA * found**ALPHA * (1 - found + LEAST).log()
    return -torch.where(centre, there, empty).sum() / centre.sum().clamp(min=1)


def _distance(found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    apart = F.smooth_l1_loss(found, wanted, reduction="none", beta=BEND).sum(1)
    return (weight * apart).sum() / weight.sum().clamp(min=1)
