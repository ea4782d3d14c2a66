"""From an ONNX model to ncnn's network: node by node, through one table of operators."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgecnn.compile.ncnn.builder import Builder, Dims, natural
from edgecnn.compile.ncnn.network import Network
from edgecnn.compile.ncnn.operators import (
    arithmetic,
    convolution,
    functions,
    normalisation,
    pooling,
    product,
    quantized,
    reduction,
    resize,
    selection,
    shapes,
)
from edgecnn.compile.ncnn.source import Node, Source
from edgecnn.core.errors import EngineError

CHANNELS_FIRST = [0, 3, 1, 2]
REAL, INTEGERS = "float32", frozenset({"uint8", "int8"})
OPERATORS: Mapping[str, Callable[[Builder, Node], None]] = {
    **functions.functions(),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"), arithmetic.combine),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"), shapes.reshape),
    **dict.fromkeys(("MaxPool", "AveragePool"), pooling.pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), pooling.pool_all),
    **dict.fromkeys(reduction.OPERATIONS, reduction.reduce),
    **dict.fromkeys(("Softmax", "LogSoftmax"), reduction.softmax),
    **dict.fromkeys(("Resize", "Upsample"), resize.resize),
    "BatchNormalization": normalisation.batch_norm,
    "Cast": shapes.cast,
    "Clip": functions.clip,
    "Concat": shapes.concat,
    "Conv": convolution.convolve,
    "ConvTranspose": convolution.deconvolve,
    "DepthToSpace": shapes.depth_to_space,
    "DequantizeLinear": quantized.dequantize,
    "Elu": functions.elu,
    "Expand": shapes.expand,
    "Gather": selection.gather,
    "Gelu": functions.gelu,
    "Gemm": product.gemm,
    "GroupNormalization": normalisation.group_norm,
    "HardSigmoid": functions.hard_sigmoid,
    "HardSwish": functions.hard_swish,
    "InstanceNormalization": normalisation.instance_norm,
    "LayerNormalization": normalisation.layer_norm,
    "LeakyRelu": functions.leaky_relu,
    "MatMul": product.matmul,
    "PRelu": functions.prelu,
    "Pad": shapes.pad,
    "Pow": arithmetic.power,
    "QuantizeLinear": quantized.quantize,
    "Selu": functions.selu,
    "Slice": selection.cut,
    "SpaceToDepth": shapes.space_to_depth,
    "Split": selection.split,
    "Swish": functions.swish,
    "Tile": shapes.tile,
    "Transpose": shapes.transpose,
}


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output and its blob; `planar` blobs have channels first though ONNX has them last."""

    name: str
    blob: str
    dims: Dims
    planar: bool = False


@dataclass(frozen=True, slots=True)
class Translation:
    """A network and what its blobs are called."""

    network: Network
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def translate(source: Source) -> Translation:
    """Return the network that computes what `source` says.

    Raises:
        EngineError: an operator, or a way to use it, that ncnn has not.
    """
    builder = Builder(source)
    inputs = tuple(_input(builder, name) for name in source.inputs)
    for node in source.nodes:
        if node.kind not in OPERATORS:
            raise node.refuse("it has no layer for that; end the network before it and compute the rest outside")
        _check_types(source, node)
        OPERATORS[node.kind](builder, node)
    outputs = []
    for name in source.outputs:
        value = builder.output(name)
        if value is None:
            raise EngineError(f"ncnn can't take the model: its output '{name}' does not depend on its inputs")
        outputs.append(Port(name, value.blob, value.dims))
    builder.network.outputs = [port.blob for port in outputs]
    return Translation(builder.network, inputs, tuple(outputs))


def _input(builder: Builder, name: str) -> Port:
    """Declare a graph input; one whose readers all put its channels first is given so."""
    source = builder.source
    shape, dtype = source.shapes.get(name), source.dtypes.get(name)
    if shape is None or dtype not in {REAL, *INTEGERS}:
        raise EngineError(f"ncnn can't take the model: input '{name}' is {dtype} of shape {shape}, not fixed numbers")
    [blob] = builder.emit("Input", [], name=name)
    dims = natural(shape)
    if dims is None:
        raise EngineError(f"ncnn can't take the model: input '{name}' of shape {list(shape)} has too many dimensions")
    planar = len(shape) == 4 and len(dims) == 3 and _only_transposed(source, name)
    if planar:
        dims = (dims[2], dims[0], dims[1])
        builder.put_planar(name, blob, dims)
    else:
        builder.put(name, blob, dims)
    return Port(name, blob, dims, planar)


def _only_transposed(source: Source, name: str) -> bool:
    """Whether all that reads `name`, through casts, makes channels first of channels last."""
    readers = source.readers[name]
    return (
        bool(readers)
        and name not in source.outputs
        and all(
            (node.kind == "Transpose" and node.get("perm", None) == CHANNELS_FIRST)
            or (node.kind == "Cast" and _only_transposed(source, node.outputs[0]))
            for node in readers
        )
    )


def _check_types(source: Source, node: Node) -> None:
    for name in node.outputs:
        dtype = source.dtypes.get(name, REAL)
        if dtype != REAL and not (dtype in INTEGERS and node.kind in {"QuantizeLinear", "Transpose", "Reshape"}):
            raise node.refuse(f"it gives {dtype}, and ncnn computes in float32")
