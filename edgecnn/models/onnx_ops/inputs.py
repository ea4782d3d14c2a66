"""What an operator is given: tensors, and settings that are known before anything runs."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgecnn.core.errors import InputError
from edgecnn.models.onnx_ops.node import Node

Value: TypeAlias = Tensor | NDArray[Any] | None
Inputs: TypeAlias = Sequence[Value]
"""Inputs in order, None for an absent one. A constant setting (a shape, axes, a bound) may come as a NumPy array, which
`torch.export` then sees as plain numbers."""
Op: TypeAlias = Callable[[Node, Inputs], Tensor | tuple[Tensor, ...]]

REDUCING = tuple(
    f"Reduce{name}" for name in ("L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
)
SETTINGS: dict[str, frozenset[int]] = {
    "CumSum": frozenset({1}),
    "Expand": frozenset({1}),
    "Pad": frozenset({1, 2, 3}),
    "Reshape": frozenset({1}),
    "Resize": frozenset({1, 2, 3}),
    "Slice": frozenset({1, 2, 3, 4}),
    "Split": frozenset({1}),
    "Squeeze": frozenset({1}),
    "Tile": frozenset({1}),
    "TopK": frozenset({1}),
    "Unsqueeze": frozenset({1}),
    **{name: frozenset({1}) for name in REDUCING},
}
"""By operator, the inputs that torch wants as numbers: they have to be constants."""
CONSTANTS: dict[str, frozenset[int]] = {"Clip": frozenset({1, 2}), "Gather": frozenset({1}), "Pow": frozenset({1})}
"""By operator, the inputs whose numbers make a plainer operator of it where they are constants."""


def given(inputs: Inputs, index: int) -> Tensor:
    """Return a tensor that must be there."""
    value = maybe(inputs, index)
    assert value is not None  # noqa: S101 - a valid model gives every input that its operator demands
    return value


def maybe(inputs: Inputs, index: int) -> Tensor | None:
    """Return an optional tensor."""
    value = inputs[index] if index < len(inputs) else None
    return value if value is None or isinstance(value, Tensor) else torch.from_numpy(np.array(value))


def numbers(inputs: Inputs, index: int) -> list[Any]:
    """Return a constant's numbers, none for an absent one."""
    value = inputs[index] if index < len(inputs) else None
    return [] if value is None else list(value.reshape(-1).tolist())


def constant(inputs: Inputs, index: int) -> NDArray[Any] | None:
    """Return an input that came as a NumPy array."""
    value = inputs[index] if index < len(inputs) else None
    return None if isinstance(value, Tensor) else value


def refuse(node: Node, what: str) -> InputError:
    """Return the error for what torch can't compute as the node says it."""
    return InputError(f"torch can't run {node.op} '{node.name}': {what}")
