"""Float tensors computed step by step, where ONNX has one operator and LiteRT several."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.writer import Tensor

OPTIONS = {
    "ABS": schema.AbsOptionsT,
    "ADD": schema.AddOptionsT,
    "DIV": schema.DivOptionsT,
    "EXP": schema.ExpOptionsT,
    "MAXIMUM": schema.MaximumMinimumOptionsT,
    "MINIMUM": schema.MaximumMinimumOptionsT,
    "MUL": schema.MulOptionsT,
    "NEG": schema.NegOptionsT,
    "SIGN": schema.SignOptionsT,
    "SUB": schema.SubOptionsT,
}


def step(low: Lowering, kind: str, *operands: Tensor | float) -> Tensor:
    """Return what an elementwise operator makes of tensors and numbers, of the shape and type of the first tensor."""
    first = next(one for one in operands if isinstance(one, Tensor))
    given = [one if isinstance(one, Tensor) else number(low, one, first.dtype) for one in operands]
    return shaped_step(low, kind, given, first.shape, OPTIONS[kind]() if kind in OPTIONS else None, first.dtype)


def shaped_step(
    low: Lowering, kind: str, given: Sequence[Tensor], shape: Sequence[int], options: Any, dtype: str = "float32"
) -> Tensor:
    """Return what an operator makes of tensors, of the given shape and type."""
    made = low.writer.tensor(f"{given[0].name}.{kind.lower()}", shape, dtype)
    low.operator(kind, given, [made], options)
    return made


def number(low: Lowering, value: float, dtype: str) -> Tensor:
    """Return a constant of one number."""
    return low.writer.constant("number", np.full(1, value, dtype))
