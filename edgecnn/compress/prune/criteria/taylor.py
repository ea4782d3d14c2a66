"""Taylor: the change of the loss, to first order, when a channel goes (Molchanov et al., arXiv 1906.10771)."""

from torch import Tensor, nn

from edgecnn.compress.prune.criteria.gates import Losses, gate_gradients
from edgecnn.compress.prune.group import Groups


def importance(
    module: nn.Module, groups: Groups, _example: tuple[Tensor, ...], batches: Losses | None = None
) -> dict[str, Tensor]:
    """Return (dL/dm)^2 of each channel's gate m, L a batch's loss, averaged over batches: equation 8 of the paper.

    A gate's gradient is sum g w over the weights that read the channel. In units of the loss, squared, so channels of
    different groups compare.

    Raises:
        InputError: there are no batches.
    """
    total: dict[str, Tensor] = {}
    count = 0
    for count, gradients in enumerate(gate_gradients(module, groups, batches), 1):  # noqa: B007 - used below
        for name, samples in gradients.items():
            total[name] = total.get(name, 0) + samples.mean(0).square()
    return {name: (value / count).float() for name, value in total.items()}
