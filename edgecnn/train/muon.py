"""Muon: momentum whose every step turns a kernel as a whole, instead of moving each weight by itself.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (kellerjordan.github.io/posts/muon, 2024). A
kernel [out, in, kh, kw] is the matrix [out, in * kh * kw]; its momentum is brought to singular values near one by five
steps of a Newton-Schulz iteration, so that what few examples say moves the kernel as far as what all of them say. The
step is scaled to be as long as AdamW's usually is (Liu et al., arXiv 2502.16982), so a learning rate found with one
serves the other. Networks that are trained for few steps learn about twice as fast.

Fully connected layers are left to AdamW: turned, the one that reads a whole frame of rectified features, all of one
sign, was driven to where its units never answer again, and its large matrix took longer than the rest of the step.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)
"""The iteration's coefficients, Jordan's: steepest at zero; singular values end between 0.7 and 1.2."""
ITERATIONS = 5
MOMENTUM = 0.95
BETAS = (0.9, 0.99)
ADAMW_LENGTH = 0.2
"""Root mean square of AdamW's steps, by Liu et al."""
LEAST = 8
"""Outputs and inputs below which a kernel has too few directions to be turned: the first layer's and the last ones'."""
TINY = 1e-8


class Muon(torch.optim.AdamW):
    """Muon for inner kernels, AdamW for first and last layers, fully connected ones, biases and batch norms.

    `decay` is the weight decay of kernels and matrices.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float, decay: float) -> None:
        every = list(parameters)
        inner = [p for p in every if is_inner(p)]
        edge = [p for p in every if p.ndim > 1 and not is_inner(p)]
        groups: list[dict[str, Any]] = [
            {"params": inner, "turned": True, "weight_decay": decay},
            {"params": edge, "turned": False, "weight_decay": decay},
            {"params": [p for p in every if p.ndim <= 1], "turned": False, "weight_decay": 0.0},
        ]
        super().__init__([group for group in groups if group["params"]], learning_rate, BETAS, foreach=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient; there is no `closure` to call."""
        assert closure is None  # noqa: S101 - the training loop has none
        groups = self.param_groups
        for group in groups:
            if group["turned"]:
                self._turn(group)
        self.param_groups = [group for group in groups if not group["turned"]]
        try:
            super().step()
        finally:
            self.param_groups = groups

    def _turn(self, group: dict[str, Any]) -> None:
        kernels = [kernel for kernel in group["params"] if kernel.grad is not None]
        for kernel in kernels:
            if not self.state[kernel]:
                # AdamW, when it loads a state, asks each parameter's for its steps.
                self.state[kernel].update(momentum=torch.zeros_like(kernel.grad), step=torch.zeros(()))
        alike: dict[tuple[int, int], list[Tensor]] = {}
        for kernel in kernels:
            self.state[kernel]["momentum"].lerp_(kernel.grad, 1 - MOMENTUM)
            self.state[kernel]["step"] += 1
            alike.setdefault((len(kernel), kernel[0].numel()), []).append(kernel)
        for (rows, columns), same in alike.items():
            ahead = [kernel.grad.lerp(self.state[kernel]["momentum"], MOMENTUM) for kernel in same]  # type: ignore[union-attr]
            turned = orthogonal(torch.stack([each.reshape(rows, columns) for each in ahead]))
            turned *= ADAMW_LENGTH * math.sqrt(max(rows, columns))
            for kernel, step in zip(same, turned, strict=True):
                kernel.mul_(1 - group["lr"] * group["weight_decay"])
                kernel.add_(step.reshape(kernel.shape), alpha=-group["lr"])


def is_inner(parameter: Tensor) -> bool:
    """Return whether a parameter is the kernel of a convolution that has enough inputs and outputs to be turned."""
    return parameter.ndim > 2 and min(parameter.shape[:2]) >= LEAST


def orthogonal(matrices: Tensor) -> Tensor:
    """Return matrices [k, m, n] with their singular vectors kept and their singular values brought near one."""
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = (matrices.mT if tall else matrices).float()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + TINY)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        square = x @ x.mT
        polynomial = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return x.mT if tall else x
