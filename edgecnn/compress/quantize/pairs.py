"""Initializers and results that Q and DQ nodes are built from."""

from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray


def initializer(graph: ir.Graph, name: str, array: NDArray[Any]) -> ir.Value:
    """Add a constant to `graph` and return it."""
    # Not ir.tensor, which spends most of the time of placing on telling what it was given.
    tensor = ir.Tensor(array, dtype=ir.DataType.from_numpy(array.dtype), name=name)
    value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor)
    graph.register_initializer(value)
    return value


def result(node: ir.Node, name: str, dtype: ir.DataType, like: ir.Value) -> ir.Value:
    """Name and type the one output of `node`, of the shape of `like`, and return it."""
    value = node.outputs[0]
    value.name, value.dtype, value.shape = name, dtype, like.shape
    return value
