"""The loss of CenterNet (arXiv 1904.07850) and CSP (arXiv 1904.02948): where objects are, and the boxes around them.

Of the centres' map, focal loss whose penalty falls towards each centre (CornerNet, arXiv 1808.01244), over the number
of objects. Of the boxes, what is missing of the generalised IoU (Rezatofighi et al., arXiv 1902.09630), as TTFNet
(arXiv 1909.00700) learns them: it is what they are judged by, and where a side is uncertain it errs to that of the
better overlap, while an absolute error of logarithms settles on the median, which is too small.
"""

import torch
from torch import Tensor

ALPHA, BETA = 2.0, 4.0
LEAST = 1e-6
BOX_WEIGHT = 5.0
"""How much a box counts beside its centre, TTFNet's."""
SIDES = (-4.0, 8.0)
"""Logarithms of a side, in cells, beyond which it has no gradient: their exponentials must stay finite."""


def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the terms `heat` and `boxes`, each a scalar.

    `outputs` are `heat` [N, C, h, w], probabilities, `size` and `offset` [N, 2, h, w]; `targets` what the codec
    `centres` encodes, with a batch axis.
    """
    found, wanted = (
        _corners(maps["size"].float().clamp(*SIDES).exp(), maps["offset"].float()) for maps in (outputs, targets)
    )
    weight = targets["weight"]
    missing = 1 - generalised_iou(found, wanted)
    return {
        "heat": focal(outputs["heat"].float(), targets["heat"], targets["care"]),
        "boxes": BOX_WEIGHT * (weight * missing).sum() / weight.sum().clamp(min=1),
    }


def _corners(sides: Tensor, middle: Tensor) -> tuple[Tensor, Tensor]:
    return middle - sides / 2, middle + sides / 2


def generalised_iou(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> Tensor:
    """Return [N, h, w], in -1 to 1, of boxes given as their lower and upper corners, each [N, 2, h, w]."""
    (low, high), (begin, end) = one, other
    shared = (torch.minimum(high, end) - torch.maximum(low, begin)).clamp(min=0).prod(1)
    union = (high - low).prod(1) + (end - begin).prod(1) - shared
    hull = (torch.maximum(high, end) - torch.minimum(low, begin)).prod(1)
    return shared / union - (hull - union) / hull


def focal(found: Tensor, wanted: Tensor, care: Tensor) -> Tensor:
    """Return the penalty-reduced focal loss of probabilities over the number of centres, where `wanted` is 1."""
    centre = wanted == 1
    there = (1 - found) ** ALPHA * (found + LEAST).log()
    empty = care * (1 - wanted) ** BETA * found**ALPHA * (1 - found + LEAST).log()
    return -torch.where(centre, there, empty).sum() / centre.sum().clamp(min=1)
