"""How strongly outputs move: what stands for the loss where there are no labels, one frame at a time.

What sets a network apart from the one it is compared with has no gradient where the two are the same. What tells
channels apart is its curvature there: of the squared error of the outputs, each in units of its spread, the
Gauss-Newton matrix J'J. The squared derivative of the outputs' sum with random signs has the diagonal of that as its
mean (Hutchinson's estimator, as in Yao et al., arXiv 2006.00719), so criteria that square a gradient see it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgecnn.core.errors import InputError
from edgecnn.models.answers import tensors

TINY = 1e-12


@dataclass(frozen=True)
class Sensitivity:
    """The outputs of one frame summed up with random signs, which are the same in every call.

    Attributes:
        inputs: of the module, with a batch of one.
        spreads: what each output is measured in; 0 where it is not to count.
        seed: of the signs.
    """

    inputs: tuple[Tensor, ...]
    spreads: tuple[float, ...]
    seed: int

    def __call__(self, module: nn.Module) -> Tensor:
        """Return sum of s y / (spread sqrt(n)) over the n numbers y of each output, a scalar."""
        signs, parts = torch.Generator().manual_seed(self.seed), []
        for output, spread in zip(tensors(module(*self.inputs)), self.spreads, strict=True):
            if spread:
                sign = torch.randint(0, 2, output.shape, generator=signs).to(output) * 2 - 1
                parts.append((output * sign).sum() / (spread * output.numel() ** 0.5))
        return torch.stack(parts).sum()


def sensitivities(teacher: nn.Module, batches: Iterable[tuple[Tensor, ...]], seed: int) -> Iterator[Sensitivity]:
    """Yield one for every frame of `batches`, whose outputs are measured in the spread of those of `teacher`.

    Raises:
        InputError: no output is a floating-point number.
    """
    for inputs in batches:
        with torch.no_grad():
            spreads = tuple(map(_spread, tensors(teacher(*inputs))))
        if not any(spreads):
            raise InputError(
                "no output of the module has a derivative (none is a floating-point number that differs from 0), so "
                "gradients tell nothing of its channels; use the criterion l1, l2 or geometric_median"
            )
        for frame in zip(*(torch.split(part, 1) for part in inputs), strict=True):
            yield Sensitivity(frame, spreads, seed)
            seed += 1


def _spread(output: Tensor) -> float:
    """Return the standard deviation, or of what is all alike the size; 0 of what has no derivative."""
    if not output.is_floating_point():
        return 0.0
    values = output.detach().double()
    spread, size = float(values.std(correction=0)), float(values.square().mean().sqrt())
    found = spread if spread > 1e-6 * size else size
    return found if TINY < found < float("inf") else 0.0
