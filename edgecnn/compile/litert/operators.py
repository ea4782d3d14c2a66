"""The table of ONNX operators that LiteRT takes, and the walk over a graph."""

from collections.abc import Callable

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgecnn.compile.litert import (
    activation,
    convolution,
    elementwise,
    functions,
    normalising,
    pooling,
    products,
    reducing,
    resizing,
    rounding,
)
from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.moving import MOVING
from edgecnn.compile.litert.source import ONNX_DOMAINS, call
from edgecnn.core.errors import EngineError

Lower = Callable[[Lowering, ir.Node], None]

LOWERINGS: dict[str, Lower] = {
    **MOVING,
    "Abs": activation.unary("ABS", schema.AbsOptionsT),
    "Add": elementwise.arithmetic("ADD", schema.AddOptionsT),
    "And": elementwise.compare("LOGICAL_AND", schema.LogicalAndOptionsT),
    "ArgMax": reducing.arg("ARG_MAX"),
    "ArgMin": reducing.arg("ARG_MIN"),
    "AveragePool": pooling.average_pool,
    "BatchNormalization": normalising.batch_norm,
    "Cast": rounding.cast,
    "CastLike": rounding.cast,
    "Ceil": activation.unary("CEIL"),
    "Clip": activation.clip,
    "Conv": convolution.conv,
    "ConvTranspose": convolution.conv_transpose,
    "Cos": activation.unary("COS", schema.CosOptionsT),
    "DequantizeLinear": rounding.dequantize,
    "Div": elementwise.arithmetic("DIV", schema.DivOptionsT),
    "Elu": functions.in_steps(functions.elu),
    "Equal": elementwise.compare("EQUAL", schema.EqualOptionsT),
    "Erf": functions.in_steps(functions.erf),
    "Exp": activation.unary("EXP", schema.ExpOptionsT),
    "Floor": activation.unary("FLOOR"),
    "Gelu": activation.gelu,
    "Gemm": products.gemm,
    "GlobalAveragePool": reducing.reduce("MEAN"),
    "GlobalMaxPool": reducing.reduce("REDUCE_MAX"),
    "Greater": elementwise.compare("GREATER", schema.GreaterOptionsT),
    "GreaterOrEqual": elementwise.compare("GREATER_EQUAL", schema.GreaterEqualOptionsT),
    "HardSigmoid": functions.in_steps(functions.hard_sigmoid),
    "HardSwish": activation.unary("HARD_SWISH", schema.HardSwishOptionsT),
    "InstanceNormalization": normalising.instance_norm,
    "LayerNormalization": normalising.layer_norm,
    "LeakyRelu": activation.leaky_relu,
    "Less": elementwise.compare("LESS", schema.LessOptionsT),
    "LessOrEqual": elementwise.compare("LESS_EQUAL", schema.LessEqualOptionsT),
    "Log": activation.unary("LOG"),
    "MatMul": products.matmul,
    "Max": elementwise.extreme("MAXIMUM"),
    "MaxPool": pooling.max_pool,
    "Min": elementwise.extreme("MINIMUM"),
    "Mul": elementwise.arithmetic("MUL", schema.MulOptionsT),
    "Neg": activation.unary("NEG", schema.NegOptionsT),
    "Not": activation.unary("LOGICAL_NOT", schema.LogicalNotOptionsT),
    "Or": elementwise.compare("LOGICAL_OR", schema.LogicalOrOptionsT),
    "PRelu": elementwise.prelu,
    "Pow": elementwise.compare("POW", schema.PowOptionsT),
    "QuantizeLinear": rounding.quantize,
    "Reciprocal": functions.in_steps(functions.reciprocal),
    "ReduceMax": reducing.reduce("REDUCE_MAX"),
    "ReduceMean": reducing.reduce("MEAN"),
    "ReduceMin": reducing.reduce("REDUCE_MIN"),
    "ReduceProd": reducing.reduce("REDUCE_PROD"),
    "ReduceSum": reducing.reduce("SUM"),
    "Relu": activation.clip,
    "Resize": resizing.resize,
    "Round": activation.unary("ROUND"),
    "Selu": functions.in_steps(functions.elu),
    "Sigmoid": activation.unary("LOGISTIC"),
    "Sin": activation.unary("SIN"),
    "Softmax": activation.softmax,
    "Softplus": functions.in_steps(functions.softplus),
    "Sqrt": activation.unary("SQRT"),
    "Sub": elementwise.arithmetic("SUB", schema.SubOptionsT),
    "Tanh": activation.unary("TANH"),
    "Upsample": resizing.resize,
    "Where": elementwise.compare("SELECT_V2", schema.SelectV2OptionsT),
}


def lower_all(low: Lowering) -> None:
    """Lower every node that is not constant.

    Raises:
        EngineError: an operator that LiteRT has no form of here; the error names it.
    """
    for node in low.source.model.graph:
        if low.source.is_constant(node) or node in low.done:
            continue
        if node.domain not in ONNX_DOMAINS or node.op_type not in LOWERINGS:
            raise EngineError(f"litert: {call(node)} has no operator in LiteRT that this compiler knows")
        LOWERINGS[node.op_type](low, node)
