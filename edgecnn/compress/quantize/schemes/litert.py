"""LiteRT's 8-bit specification (ai.google.dev/edge/litert, "LiteRT 8-bit quantization specification").

Activations are int8, one scale a tensor with a free zero point; weights are int8 without -128, one scale a channel and
no zero point; bias is int32 at the scale of input times weight. What only moves or picks numbers, joins them included,
keeps its scale. An operator is INT8 only between INT8 on every side, so that a light head stays in float as a whole.

Functions of one tensor and average pooling are computed in float between a DQ and a Q: XNNPACK runs the three of such a
function as fast as a copy, and pools in float at a sixth of the time of LiteRT's int8 kernel (2.3, AVX-512). So the
scales that the specification fixes for LOGISTIC and TANH are not needed.
"""

from edgecnn.compress.quantize.scheme import Format, Scheme

SCHEME = Scheme(
    name="litert",
    activation=Format("int8", symmetric=False),
    nonnegative=Format("int8", symmetric=False),
    weight=Format("int8", symmetric=True, narrow=True),
    channel_axis={"Conv": 0, "ConvTranspose": 1, "Gemm": 0, "MatMul": 1},
    joining=frozenset(
        {
            "Add",
            "AveragePool",
            "Elu",
            "Gelu",
            "GlobalAveragePool",
            "HardSigmoid",
            "HardSwish",
            "LeakyRelu",
            "Mul",
            "ReduceMean",
            "Resize",
            "Sigmoid",
            "Sub",
            "Tanh",
        }
    ),
    commuting=frozenset(
        {
            "Concat",
            "DepthToSpace",
            "Flatten",
            "Gather",
            "MaxPool",
            "Pad",
            "Reshape",
            "Resize",
            "Slice",
            "SpaceToDepth",
            "Split",
            "Squeeze",
            "Transpose",
            "Unsqueeze",
        }
    ),
    fused=frozenset({"Clip", "Relu"}),
    residual="every_input",
    quantized_outputs=True,
    bias="int32",
    light_heads=True,
    float_results=frozenset(),
    ranks=frozenset({3, 4}),
)
