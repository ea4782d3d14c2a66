"""OpenVINO's CPU plugin: zero points of zero, both branches of a residual sum quantized, bias in float.

Chosen by measurement (2026.4, AVX-512 VNNI, one thread, the lane network at 320x160):

- Signed tensors are int8 and symmetric. With uint8 and a zero point, pixels that need no rounding fall back to a float
  first convolution, and the network takes 1.5 times as long.
- A residual sum whose inputs are both quantized runs inside its convolution. Quantizing the identity branch alone is as
  fast within noise, 3 % more exact, and leaves the rounding of some sums to a kernel of its own.
- With the fully connected head in float (2.9 million weights) the network takes 1.4 times as long, for an error of
  12.96 % instead of 12.98 %. The head's results are float either way.
"""

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
