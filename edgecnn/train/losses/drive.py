"""Lane lines and objects learnt at once: each task counts by how uncertain it still is.

Kendall et al. (arXiv 1705.07115) learn a log-variance s for each task and minimise the sum of exp(-s) L + s. For a loss
L that is least at s = log L, so nothing needs to be learnt: putting it in leaves the sum of log L (and a constant), in
which a task's gradient counts by 1 / L, whatever the scale its loss has (as in Kirchdorfer et al., arXiv 2408.07985).
"""

import torch
from torch import Tensor

from edgecnn.train.losses import centres, lane_rows

CERTAIN = 1e-3
"""Added to each task's loss: what is learnt altogether must not outweigh all else."""
OBJECTS = 1.7
"""How much objects count beside lines: alike, lines gain by the company and objects lose; at 2 it is the reverse."""


def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the terms `lanes` and `objects`, each a scalar; they fall below 0 once a task's loss is below 1.

    `outputs` and `targets` are those of both tasks together, as the codec `drive` names them.
    """
    lanes, objects = lane_rows.loss(outputs, targets), centres.loss(outputs, targets)
    return {"lanes": _log_of_sum(lanes), "objects": OBJECTS * _log_of_sum(objects)}


def _log_of_sum(terms: dict[str, Tensor]) -> Tensor:
    return (torch.stack(list(terms.values())).sum() + CERTAIN).log()
