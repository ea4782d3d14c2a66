"""The loss of UFLDv2's row branch (arXiv 2206.07389), with the line's place inside its cell kept.

Softmax focal loss (gamma 2) on soft labels, cross-entropy on existence, and 0.05 times smooth L1 between the softmax's
expectation and the line's place. UFLDv2 puts 0.9 on the cell and 0.05 on either neighbour; here the 0.9 is shared
linearly by the two cells around the true place, so that the decoder's expectation has no bias within a cell.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

NEIGHBOUR, GAMMA, EXPECTATION_WEIGHT = 0.05, 2.0, 0.05


def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the terms `loc`, `exist` and `expectation`, each a scalar.

    `outputs` are `loc` [N, C, R, L] and `exist` [N, 2, R, L]; `targets` hold `column` [N, R, L] in cells, absent < -1.
    """
    column, loc = targets["column"], outputs["loc"].float()
    present = column > -1
    exist = F.cross_entropy(outputs["exist"].float(), present.long())
    if not present.any():
        zero = loc.sum() * 0
        return {"loc": zero, "exist": exist, "expectation": zero}
    logits = loc.permute(0, 2, 3, 1)[present]
    place = column[present]
    log_p = logits.log_softmax(-1)
    p = log_p.exp()
    focal = -(soft_labels(place, logits.shape[-1]) * (1 - p) ** GAMMA * log_p).sum(-1).mean()
    cells = torch.arange(logits.shape[-1], device=logits.device, dtype=logits.dtype)
    expectation = F.smooth_l1_loss((p * cells).sum(-1), place)
    return {"loc": focal, "exist": exist, "expectation": EXPECTATION_WEIGHT * expectation}


def soft_labels(place: Tensor, cells: int) -> Tensor:
    """Return labels [M, cells] that sum to 1 and have their mean at `place` [M] away from the frame's borders."""
    place = place.clamp(0, cells - 1)
    left = place.floor().clamp(max=cells - 2)
    share = (place - left)[:, None]
    steps = torch.arange(cells, device=place.device)[None] - left[:, None].long()
    around = torch.zeros(len(place), cells, device=place.device)
    for offset, mass in ((0, 1 - share), (1, share)):
        centre = steps == offset
        sides = (steps == offset - 1) | (steps == offset + 1)
        around += mass * ((1 - 2 * NEIGHBOUR) * centre + NEIGHBOUR * sides)
    return around / around.sum(-1, keepdim=True)
