"""OpenVINO's CPU plugin: unsigned activations, a residual sum inside the convolution, float bias."""

from edgecnn.compress.quantize.scheme import Format, Scheme

SCHEME = Scheme(
    name="openvino_cpu",
    activation=Format("int8", symmetric=True),
    nonnegative=Format("uint8", symmetric=False),
    weight=Format("int8", symmetric=True, narrow=True),
    channel_axis={"Conv": 0, "ConvTranspose": 1, "Gemm": 0, "MatMul": 1},
    joining=frozenset({"Add", "AveragePool", "GlobalAveragePool"}),
    commuting=frozenset(
        {
            "Concat",
            "DepthToSpace",
            "Flatten",
            "MaxPool",
            "Reshape",
            "Slice",
            "Split",
            "Squeeze",
            "Transpose",
            "Unsqueeze",
        }
    ),
    fused=frozenset({"Relu", "Clip"}),
    residual="every_input",
    quantized_outputs=False,
    bias="float",
)
