"""Muon: momentum whose every step turns a kernel as a whole, instead of moving each weight by itself.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (kellerjordan.github.io/posts/muon, 2024). A
kernel [out, in, kh, kw] is the matrix [out, in * kh * kw]; its momentum is brought to singular values near one by five
steps of a Newton-Schulz iteration, so that what few examples say moves the kernel as far as what all of them say. The
step is scaled to be as long as AdamW's usually is (Liu et al., arXiv 2502.16982), so a learning rate found with one
serves the other. Networks that are trained for few steps learn about twice as fast.
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
SLIMMEST = 64
"""How many times longer than wide a matrix may be: a last layer that says everything of a frame at once is longer, and
turning it would take as long as all that the rest of the network computes."""
TINY = 1e-8


class Muon(torch.optim.Optimizer):
    """Muon for inner kernels and matrices, AdamW for the first and last layers, biases and batch norms.

    `decay` is the weight decay of matrices and kernels.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float, decay: float) -> None:
        every = list(parameters)
        inner = [p for p in every if is_inner(p)]
        edge = [p for p in every if p.ndim > 1 and not is_inner(p)]
        groups = [
            {"params": inner, "turned": True, "weight_decay": decay},
            {"params": edge, "turned": False, "weight_decay": decay},
            {"params": [p for p in every if p.ndim <= 1], "turned": False, "weight_decay": 0.0},
        ]
        super().__init__([group for group in groups if group["params"]], {"lr": learning_rate})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient; there is no `closure` to call."""
        assert closure is None  # noqa: S101 - the training loop has none
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                move = self._turn if group["turned"] else self._adam
                step = move(parameter.grad, self.state[parameter])
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(step, alpha=-group["lr"])

    @staticmethod
    def _turn(gradient: Tensor, state: dict[str, Any]) -> Tensor:
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum = state["momentum"]
        momentum.lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(momentum, MOMENTUM)
        turned = orthogonal(ahead.reshape(len(ahead), -1))
        return turned.reshape(gradient.shape).mul_(ADAMW_LENGTH * math.sqrt(max(turned.shape)))

    @staticmethod
    def _adam(gradient: Tensor, state: dict[str, Any]) -> Tensor:
        if not state:
            state.update(first=torch.zeros_like(gradient), second=torch.zeros_like(gradient), steps=torch.zeros(()))
        first, second, steps = state["first"], state["second"], state["steps"]
        steps += 1
        first.lerp_(gradient, 1 - BETAS[0])
        second.lerp_(gradient.square(), 1 - BETAS[1])
        bias, second_bias = (1 - beta ** float(steps) for beta in BETAS)
        step: Tensor = (first / bias) / ((second / second_bias).sqrt() + TINY)
        return step


def is_inner(parameter: Tensor) -> bool:
    """Return whether a parameter is the kernel or matrix of a layer that has enough inputs and outputs to be turned."""
    if parameter.ndim < 2:
        return False
    rows, columns = len(parameter), parameter[0].numel()
    return min(parameter.shape[:2]) >= LEAST and max(rows, columns) <= SLIMMEST * min(rows, columns)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return the matrix [m, n] with its singular vectors kept and its singular values brought near one."""
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = (matrix.T if tall else matrix).float()
    x = x / (x.norm() + TINY)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
