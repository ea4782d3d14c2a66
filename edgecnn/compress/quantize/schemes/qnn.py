"""Qualcomm's QNN (HTP): every op between Q and DQ, the graph's ends included; unsigned activations, int32 bias.

The accelerator has no float path beside the integer one, so that an activation function, a gate or an attention
product stands between Q and DQ as well, and constants beside activations are stored in their format. Weights are
signed, one scale a channel of Conv (axis 0) and ConvTranspose (axis 1). Relu and Clip take the scale of their result,
which makes them vanish into the rounding before them. Not run on the device here.
"""

from edgecnn.compress.quantize.scheme import Format, Scheme

SCHEME = Scheme(
    name="qnn",
    activation=Format("uint8", symmetric=False),
    nonnegative=Format("uint8", symmetric=False),
    weight=Format("int8", symmetric=True, narrow=True),
    channel_axis={"Conv": 0, "ConvTranspose": 1, "Gemm": None, "MatMul": None},
    joining=frozenset(
        {
            "Add",
            "AveragePool",
            "Clip",
            "Div",
            "Elu",
            "Gelu",
            "GlobalAveragePool",
            "HardSigmoid",
            "HardSwish",
            "LeakyRelu",
            "MatMul",
            "Mul",
            "PRelu",
            "ReduceMean",
            "Relu",
            "Resize",
            "Sigmoid",
            "Softmax",
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
    fused=frozenset({"Relu", "Clip"}),
    clamping=frozenset({"Relu", "Clip"}),
    residual="every_input",
    quantized_outputs=True,
    bias="int32",
    rounded_ends=True,
    float_results=frozenset(),
    ranks=frozenset({4, 5}),
)
