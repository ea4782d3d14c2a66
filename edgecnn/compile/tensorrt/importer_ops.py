"""Which operators TensorRT's importer reads, and with which attributes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import onnx_ir as ir

# Operators that the importer of 10.1 knows by name and refuses; 8 knows no more of them.
_REFUSED = frozenset(
    {
        "AffineGrid",
        "Bernoulli",
        "BitShift",
        "BitwiseAnd",
        "BitwiseNot",
        "BitwiseOr",
        "BitwiseXor",
        "BlackmanWindow",
        "CenterCropPad",
        "Col2Im",
        "Compress",
        "ConcatFromSequence",
        "DFT",
        "Det",
        "HammingWindow",
        "HannWindow",
        "ImageDecoder",
        "MaxRoiPool",
        "MaxUnpool",
        "MelWeightMatrix",
        "Multinomial",
        "NegativeLogLikelihoodLoss",
        "Optional",
        "OptionalGetElement",
        "OptionalHasElement",
        "RegexFullMatch",
        "STFT",
        "SequenceAt",
        "SequenceConstruct",
        "SequenceEmpty",
        "SequenceErase",
        "SequenceInsert",
        "SequenceLength",
        "SequenceMap",
        "SoftmaxCrossEntropyLoss",
        "SplitToSequence",
        "StringConcat",
        "StringNormalizer",
        "StringSplit",
        "TfIdfVectorizer",
        "Unique",
    }
)
_INTEGER = frozenset({"ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul"})
_SINCE = {"DeformConv": 10, "Gelu": 10, "Mish": 10, "Swish": 11}
_TRANSFORMS = frozenset({"half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric", "align_corners"})
_MOST_K = 3840


def operators(node: ir.Node, version: int) -> Iterator[str]:
    """Yield what the importer of TensorRT `version` refuses in `node`, as the rest of a sentence that names it."""
    if node.domain not in {"", "ai.onnx"}:
        yield f"is of domain '{node.domain}', and TensorRT reads ONNX's own operators"
        return
    if node.op_type in _INTEGER:
        yield "computes in integers; write it in float between QuantizeLinear and DequantizeLinear"
    elif node.op_type in _REFUSED and version < 11:
        yield f"is not read by TensorRT {version}"
    elif _SINCE.get(node.op_type, 0) > version:
        yield f"is read since TensorRT {_SINCE[node.op_type]}; write it in the operators it stands for"
    if node.op_type in _LIMITS:
        yield from _LIMITS[node.op_type](node)


def _pool(node: ir.Node) -> Iterator[str]:
    if any(size != 1 for size in _ints(node, "dilations")):
        yield "has dilations, which TensorRT's pooling has not"
    if len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output()):
        yield "gives indices, which TensorRT's pooling does not"
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    if shape is not None and len(shape) not in {3, 4, 5}:
        yield f"pools {len(shape) - 2} dimensions; TensorRT pools 1 to 3"


def _resize(node: ir.Node) -> Iterator[str]:
    mode = _text(node, "mode", "nearest")
    transform = _text(node, "coordinate_transformation_mode", "half_pixel")
    if mode not in {"nearest", "linear", "cubic"}:
        yield f"resizes in mode '{mode}'; TensorRT has nearest, linear and cubic"
    if transform not in _TRANSFORMS:
        yield f"maps coordinates by '{transform}'; TensorRT has {', '.join(sorted(_TRANSFORMS))}"
    nearest = _text(node, "nearest_mode", "round_prefer_floor")
    if transform == "tf_half_pixel_for_nn" and nearest != "round_prefer_floor":
        yield f"rounds by '{nearest}'; under tf_half_pixel_for_nn TensorRT rounds by round_prefer_floor alone"
    if _int(node, "antialias", 0):
        yield "wants antialiasing, which TensorRT has not"
    if _text(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        yield "keeps the aspect ratio; TensorRT stretches"


def _top_k(node: ir.Node) -> Iterator[str]:
    if not _int(node, "sorted", 1):
        yield "wants no order; TensorRT's TopK is sorted"
    k = node.inputs[1].const_value if len(node.inputs) > 1 and node.inputs[1] is not None else None
    if k is None:
        yield "has a K that is computed; store it as an initializer"
    elif int(k.numpy().reshape(-1)[0]) >= _MOST_K:
        yield f"asks for {int(k.numpy().reshape(-1)[0])} elements; TensorRT gives fewer than {_MOST_K}"


def _constant_input(index: int, what: str) -> Callable[[ir.Node], Iterator[str]]:
    def check(node: ir.Node) -> Iterator[str]:
        value = node.inputs[index] if len(node.inputs) > index else None
        if value is not None and value.const_value is None:
            yield f"has {what} that are computed; store them as an initializer"

    return check


def _batch_norm(node: ir.Node) -> Iterator[str]:
    if _int(node, "training_mode", 0):
        yield "is in training mode; export the model for inference"


def _first_output_only(node: ir.Node) -> Iterator[str]:
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        yield "gives mean or deviation; TensorRT gives the first output alone"


def _lp(node: ir.Node) -> Iterator[str]:
    if _int(node, "p", 2) not in {1, 2}:
        yield "has a norm other than L1 and L2"


_LIMITS: Mapping[str, Callable[[ir.Node], Iterator[str]]] = {
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "CumSum": _constant_input(1, "axes"),
    "LayerNormalization": _first_output_only,
    "LpNormalization": _lp,
    "LpPool": _lp,
    "MaxPool": _pool,
    "Pad": _constant_input(3, "axes"),
    "Resize": _resize,
    "Slice": _constant_input(3, "axes"),
    "Squeeze": _constant_input(1, "axes"),
    "TopK": _top_k,
    "Unsqueeze": _constant_input(1, "axes"),
}


def _attribute(node: ir.Node, name: str) -> Any:
    found = node.attributes.get(name)
    return found.value if found is not None else None


def _int(node: ir.Node, name: str, default: int) -> int:
    found = _attribute(node, name)
    return default if found is None else int(found)


def _ints(node: ir.Node, name: str) -> list[int]:
    return [int(size) for size in _attribute(node, name) or ()]


def _text(node: ir.Node, name: str, default: str) -> str:
    found = _attribute(node, name)
    return default if found is None else str(found)
