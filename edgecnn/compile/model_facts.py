"""What the rules of devices ask of an ONNX model, read off its graph."""

from collections.abc import Iterable, Iterator

import numpy as np
import onnx

from edgecnn.compile.specs import opset_of
from edgecnn.core.bundle import Precision
from edgecnn.core.device_rules import ModelFacts

PAIRED = frozenset({"QuantizeLinear", "DequantizeLinear"})


def model_facts(model: onnx.ModelProto, precision: Precision) -> ModelFacts:
    """Return the facts of `model`, which is to run in `precision`; operators within subgraphs count."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    operators = frozenset(node.op_type for node in _within(model.graph.node))
    return ModelFacts(
        precision=precision,
        opset=opset_of(model),
        operators=operators,
        inputs={value.name: _dtype(value) for value in inputs},
        free=tuple(value.name for value in inputs if not _fixed(value)),
        pairs=bool(operators & PAIRED),
    )


def _dtype(value: onnx.ValueInfoProto) -> str:
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)).name


def _fixed(value: onnx.ValueInfoProto) -> bool:
    return all(dim.HasField("dim_value") and dim.dim_value > 0 for dim in value.type.tensor_type.shape.dim)


def _within(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            yield from _within(attribute.g.node)
