"""Average pooling whose zero padding counts, as a depthwise convolution, for engines that pad with what 0 is stored as.

OpenVINO's CPU plugin (2026.4.1) moves dequantization behind such a pool and then pads with a stored 0, which stands for
the least value where there is a zero point; with the padding in a Pad in front, the two are fused to the same end. A
convolution is padded with the zero point, and computes the same.
"""

import math
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.compress.quantize.graph import constant
from edgecnn.compress.quantize.pairs import initializer, result

NONNEGATIVE = frozenset({"Relu", "Sigmoid", "Softmax", "HardSigmoid", "Abs", "Softplus", "Exp"})
KEEPING = frozenset(
    {"AveragePool", "Concat", "Gather", "GlobalAveragePool", "MaxPool", "Reshape", "Slice", "Transpose"}
)
"""Op types that give nothing negative where they take nothing negative."""


def counts_padding(node: ir.Node) -> bool:
    """Whether `node` is an AveragePool that takes zeros around its input for numbers, its own or a Pad's in front."""
    if node.op_type != "AveragePool" or node.domain not in {"", "ai.onnx"}:
        return False
    if _own_pads(node):
        return node.attributes.get_int("count_include_pad", 0) == 1
    return _pad_before(node) is not None


def nonnegative(value: ir.Value | None) -> bool:
    """Whether the graph alone says that `value` is never negative, so that its zero is stored as 0."""
    node = value.producer() if value is not None else None
    if node is None:
        return False
    if node.op_type in KEEPING:
        inputs = node.inputs if node.op_type == "Concat" else node.inputs[:1]
        return all(nonnegative(one) for one in inputs)
    return node.op_type in NONNEGATIVE


def without_counted_padding(model: ir.Model) -> None:
    """Turn each AveragePool of what may be negative whose padding counts into a depthwise convolution, in place."""
    for node in list(model.graph):
        source = node.inputs[0] if node.inputs else None
        if not counts_padding(node) or source is None or nonnegative(source):
            continue
        if (pads := _pads(node)) is None or source.shape is None or source.dtype != ir.DataType.FLOAT:
            continue
        _replace(model.graph, node, pads)


def _replace(graph: ir.Graph, node: ir.Node, pads: list[int]) -> None:
    pad = _pad_before(node)
    source = pad.inputs[0] if pad is not None else node.inputs[0]
    assert source is not None  # noqa: S101 - pooling has an input
    assert source.shape is not None  # noqa: S101 - shapes were inferred
    kernel, channels = list(node.attributes.get_ints("kernel_shape", [])), int(source.shape.numpy()[1])
    weights = np.full((channels, 1, *kernel), 1 / math.prod(kernel), np.float32)
    attributes: dict[str, int | list[int]] = {
        "kernel_shape": kernel,
        "strides": list(node.attributes.get_ints("strides", [1] * len(kernel))),
        "pads": pads,
        "group": channels,
    }
    new = ir.node("Conv", [source, initializer(graph, f"{node.name}.mean", weights)], attributes, name=node.name)
    old = node.outputs[0]
    made = result(new, str(old.name), ir.DataType.FLOAT, old)
    graph.insert_before(node, new)
    ir.convenience.replace_all_uses_with(old, made, replace_graph_outputs=True)
    graph.remove(node, safe=True)


def _pads(node: ir.Node) -> list[int] | None:
    """Return the pads of the convolution, None where there is none that does the same."""
    plain = node.attributes.get_string("auto_pad", "NOTSET") == "NOTSET"
    dense = set(node.attributes.get_ints("dilations", [1])) == {1}
    if not plain or not dense or node.attributes.get_int("ceil_mode", 0) == 1:
        return None
    pad = _pad_before(node)
    if pad is None:
        return _own_pads(node)
    amounts = [int(one) for one in _constant(pad, 1)]
    rank = len(amounts) // 2
    edges = [*amounts[:2], *amounts[rank : rank + 2]]
    return None if any(edges) or min(amounts) < 0 else [*amounts[2:rank], *amounts[rank + 2 :]]


def _own_pads(node: ir.Node) -> list[int]:
    """Return the pads that `node` itself says, empty where they are all 0."""
    pads = list(node.attributes.get_ints("pads", []))
    return pads if any(pads) else []


def _pad_before(node: ir.Node) -> ir.Node | None:
    """Return the Pad with zeros in front of a `node` without pads of its own, which an engine takes for the node's."""
    source = node.inputs[0] if node.inputs and not _own_pads(node) else None
    pad = source.producer() if source is not None else None
    if pad is None or pad.op_type != "Pad" or len(pad.inputs) < 2 or pad.inputs[0] is None:
        return None
    zeros = pad.attributes.get_string("mode", "constant") == "constant"
    fill = _constant(pad, 2) if len(pad.inputs) > 2 and pad.inputs[2] is not None else np.zeros(1)
    axes = len(pad.inputs) > 3 and pad.inputs[3] is not None
    return pad if zeros and not axes and fill.size and not fill.any() and _constant(pad, 1).size else None


def _constant(node: ir.Node, index: int) -> NDArray[Any]:
    known = constant(node.inputs[index])
    return np.zeros(0) if known is None else known
