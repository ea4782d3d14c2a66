"""ONNX's elementwise operators in torch. Semantics: ONNX operator specification."""

from collections.abc import Callable
from functools import reduce

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from edgecnn.models.onnx_ops.inputs import Inputs, Op, constant, given, maybe, refuse
from edgecnn.models.onnx_ops.node import Node

FLOATS = frozenset({1, 10, 11, 16})
"""ONNX's codes of float, float16, double and bfloat16; all are computed in float32."""
WHOLE = {2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool}


def _clip(_: Node, inputs: Inputs) -> Tensor:
    x, low, high = given(inputs, 0), maybe(inputs, 1), maybe(inputs, 2)
    fixed = [constant(inputs, i) for i in (1, 2)]
    if all(known is not None or bound is None for known, bound in zip(fixed, (low, high), strict=True)):
        return _bounded(x, *(None if known is None else known.reshape(-1).tolist()[0] for known in fixed))
    x = x if low is None else torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


def _bounded(x: Tensor, low: float | None, high: float | None) -> Tensor:
    """Return `x` cut by plain numbers, as the function that engines run inside the layer before."""
    if low is None and high is None:
        return x
    if x.is_floating_point() and low == 0 and high is None:
        return F.relu(x)
    if x.is_floating_point() and low is not None and high is not None and low < high:
        return F.hardtanh(x, low, high)
    return torch.clamp(x, low, high)


def _gelu(node: Node, inputs: Inputs) -> Tensor:
    return F.gelu(given(inputs, 0), approximate=node.get("approximate", "none"))


def _prelu(_: Node, inputs: Inputs) -> Tensor:
    x, slope = given(inputs, 0), given(inputs, 1)
    # Of operators that XNNPACK has, all of them: what is chosen with `where` is computed outside of it.
    return torch.relu(x) - slope * torch.relu(-x)


def _cast(node: Node, inputs: Inputs) -> Tensor:
    kind = node.get("to")
    if kind in FLOATS:
        return given(inputs, 0).to(torch.float32)
    if kind not in WHOLE:
        raise refuse(node, f"it casts to type {kind}")
    return given(inputs, 0).to(WHOLE[kind])


def _pow(_: Node, inputs: Inputs) -> Tensor:
    x, power = given(inputs, 0), constant(inputs, 1)
    if power is not None and power.size == 1:
        value = float(power.reshape(-1)[0])
        return torch.pow(x, int(value) if value.is_integer() else value)
    return torch.pow(x, given(inputs, 1))


def _div(_: Node, inputs: Inputs) -> Tensor:
    x, y = given(inputs, 0), given(inputs, 1)
    return torch.div(x, y) if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def _mod(node: Node, inputs: Inputs) -> Tensor:
    call = torch.fmod if node.get("fmod", 0) else torch.remainder
    return call(given(inputs, 0), given(inputs, 1))


def _mean(_: Node, inputs: Inputs) -> Tensor:
    return reduce(torch.add, [given(inputs, i) for i in range(len(inputs))]) / len(inputs)


def _swish(node: Node, inputs: Inputs) -> Tensor:
    x = given(inputs, 0)
    return x * torch.sigmoid(node.get("alpha", 1.0) * x)


def _thresholded(node: Node, inputs: Inputs) -> Tensor:
    x = given(inputs, 0)
    return torch.where(x > node.get("alpha", 1.0), x, torch.zeros_like(x))


def _one(call: Callable[..., Tensor]) -> Op:
    return lambda _, inputs: call(given(inputs, 0))


def _two(call: Callable[..., Tensor]) -> Op:
    return lambda _, inputs: call(given(inputs, 0), given(inputs, 1))


def _many(call: Callable[[Tensor, Tensor], Tensor]) -> Op:
    return lambda _, inputs: reduce(call, [given(inputs, i) for i in range(len(inputs))])


ELEMENTWISE: dict[str, Op] = {
    "Relu": _one(F.relu),
    "Sigmoid": _one(torch.sigmoid),
    "Tanh": _one(torch.tanh),
    "Softplus": _one(F.softplus),
    "Softsign": _one(F.softsign),
    "HardSwish": _one(F.hardswish),
    "Mish": _one(F.mish),
    "Exp": _one(torch.exp),
    "Log": _one(torch.log),
    "Sqrt": _one(torch.sqrt),
    "Reciprocal": _one(torch.reciprocal),
    "Erf": _one(torch.erf),
    "Sin": _one(torch.sin),
    "Cos": _one(torch.cos),
    "Abs": _one(torch.abs),
    "Neg": _one(torch.neg),
    "Sign": _one(torch.sign),
    "Floor": _one(torch.floor),
    "Ceil": _one(torch.ceil),
    "Round": _one(torch.round),
    "Not": _one(torch.logical_not),
    "IsNaN": _one(torch.isnan),
    "Identity": _one(lambda x: x),
    "Dropout": _one(lambda x: x),
    "Elu": lambda n, x: F.elu(given(x, 0), n.get("alpha", 1.0)),
    "Selu": _one(F.selu),
    "Gelu": _gelu,
    "Swish": _swish,
    "LeakyRelu": lambda n, x: F.leaky_relu(given(x, 0), n.get("alpha", 0.01)),
    "ThresholdedRelu": _thresholded,
    "HardSigmoid": lambda n, x: (n.get("alpha", 0.2) * given(x, 0) + n.get("beta", 0.5)).clamp(0, 1),
    "PRelu": _prelu,
    "Clip": _clip,
    "Softmax": lambda n, x: torch.softmax(given(x, 0), n.get("axis", -1)),
    "LogSoftmax": lambda n, x: torch.log_softmax(given(x, 0), n.get("axis", -1)),
    "Add": _two(torch.add),
    "Sub": _two(torch.sub),
    "Mul": _two(torch.mul),
    "Div": _div,
    "Mod": _mod,
    "Pow": _pow,
    "Max": _many(torch.maximum),
    "Min": _many(torch.minimum),
    "Sum": _many(torch.add),
    "Mean": _mean,
    "Cast": _cast,
    "Greater": _two(torch.gt),
    "GreaterOrEqual": _two(torch.ge),
    "Less": _two(torch.lt),
    "LessOrEqual": _two(torch.le),
    "Equal": _two(torch.eq),
    "And": _two(torch.logical_and),
    "Or": _two(torch.logical_or),
    "Xor": _two(torch.logical_xor),
    "Where": lambda _, x: torch.where(given(x, 0).bool(), given(x, 1), given(x, 2)),
}
