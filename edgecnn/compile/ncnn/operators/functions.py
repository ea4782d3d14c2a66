"""Functions of one number, such as activation functions."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from edgecnn.compile.ncnn.builder import Builder, natural
from edgecnn.compile.ncnn.network import Parameter, Weight
from edgecnn.compile.ncnn.source import Node

LARGEST = float(np.finfo(np.float32).max)
UNARY = {
    "Abs": 0,
    "Neg": 1,
    "Floor": 2,
    "Ceil": 3,
    "Sqrt": 5,
    "Exp": 7,
    "Log": 8,
    "Sin": 9,
    "Cos": 10,
    "Tan": 11,
    "Asin": 12,
    "Acos": 13,
    "Atan": 14,
    "Reciprocal": 15,
    "Round": 18,
}
PLAIN = {
    "Relu": "ReLU",
    "Sigmoid": "Sigmoid",
    "Tanh": "TanH",
    "Mish": "Mish",
    "Softplus": "Softplus",
    "Erf": "Erf",
}


def function(kind: str, parameters: Mapping[int, Parameter], b: Builder, node: Node) -> None:
    """Emit a layer that keeps every dimension."""
    x = b.value(node)
    [made] = b.emit(kind, [x.blob], dict(parameters), name=node.outputs[0])
    b.put(node.outputs[0], made, x.dims)


def functions() -> dict[str, Callable[[Builder, Node], None]]:
    """Return the operators that have no attributes, by name."""
    none: dict[int, Parameter] = {}
    plain = {name: (kind, none) for name, kind in PLAIN.items()}
    unary = {name: ("UnaryOp", dict[int, Parameter]({0: number})) for name, number in UNARY.items()}
    return {name: partial(function, kind, own) for name, (kind, own) in (plain | unary).items()}


def leaky_relu(b: Builder, node: Node) -> None:
    """LeakyRelu: ncnn's ReLU with a slope."""
    function("ReLU", {0: float(node.get("alpha", 0.01))}, b, node)


def hard_sigmoid(b: Builder, node: Node) -> None:
    """HardSigmoid."""
    function("HardSigmoid", {0: float(node.get("alpha", 0.2)), 1: float(node.get("beta", 0.5))}, b, node)


def hard_swish(b: Builder, node: Node) -> None:
    """HardSwish: x * clip(x / 6 + 1 / 2, 0, 1)."""
    function("HardSwish", {0: 1 / 6, 1: 0.5}, b, node)


def elu(b: Builder, node: Node) -> None:
    """Elu."""
    function("ELU", {0: float(node.get("alpha", 1.0))}, b, node)


def selu(b: Builder, node: Node) -> None:
    """Selu."""
    alpha, gamma = node.get("alpha", 1.67326319217681884765625), node.get("gamma", 1.05070102214813232421875)
    function("SELU", {0: float(alpha), 1: float(gamma)}, b, node)


def gelu(b: Builder, node: Node) -> None:
    """Gelu, exact or by tanh."""
    function("GELU", {0: int(node.get("approximate", "none") == "tanh")}, b, node)


def swish(b: Builder, node: Node) -> None:
    """Swish with its usual slope of 1."""
    if node.get("alpha", 1.0) != 1:
        raise node.refuse("ncnn's Swish has alpha 1")
    function("Swish", {}, b, node)


def clip(b: Builder, node: Node) -> None:
    """Clip between constants."""
    ends = []
    for index, name, free in ((1, "min", -LARGEST), (2, "max", LARGEST)):
        given = node.get(name, free)
        if node.input(index):
            given = b.source.constant(node, index, f"{name}imum").reshape(-1)[0]
        ends.append(float(np.clip(given, -LARGEST, LARGEST)))
    function("Clip", {0: ends[0], 1: ends[1]}, b, node)


def prelu(b: Builder, node: Node) -> None:
    """PRelu with one slope, or one a channel."""
    x, slope = b.value(node), np.asarray(b.source.constant(node, 1, "slope"), np.float32)
    dims = natural(x.shape)
    if dims is None or slope.size not in {1, dims[0]}:
        raise node.refuse(f"its slope of shape {list(slope.shape)} is not one a channel")
    weights = [Weight(slope.reshape(-1))]
    [made] = b.emit("PReLU", [b.view(x, dims)], {0: int(slope.size)}, weights, name=node.outputs[0])
    b.put(node.outputs[0], made, dims)
