"""LiteRT's 8-bit specification (ai.google.dev/edge/litert, "LiteRT 8-bit quantization specification").

Activations are int8, one scale a tensor with a free zero point; weights are int8 without -128, one scale a channel and
no zero point; bias is int32 at the scale of input times weight. What only moves or picks numbers, pools and joins keeps
its scale. An operator is INT8 only between INT8 on every side, so that a light head stays in float as a whole.
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
            "GlobalAveragePool",
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
            "AveragePool",
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
