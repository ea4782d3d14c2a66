"""XNNPACK under ONNX Runtime: signed activations and weights, 2-D convolutions, per-channel only along axis 0.

Its operators want one type for activations and weights: unsigned for both has no per-channel scales, so it is signed
for both, with a weight zero point of 0. ConvTranspose has its output channels on axis 1 and therefore one scale in all.
Bias is int32, and scales, weights and bias are constants. Convolution, pooling and resizing run in XNNPACK; sums and
what else stands between Q/DQ runs in ONNX Runtime's own kernels. Not run on the device here.
"""

from edgecnn.compress.quantize.scheme import Format, Scheme

SCHEME = Scheme(
    name="xnnpack",
    activation=Format("int8", symmetric=False),
    nonnegative=Format("int8", symmetric=False),
    weight=Format("int8", symmetric=True, narrow=True),
    channel_axis={"Conv": 0, "ConvTranspose": None, "Gemm": None, "MatMul": None},
    joining=frozenset({"Add", "AveragePool", "GlobalAveragePool", "Mul"}),
    commuting=frozenset(
        {"Concat", "Flatten", "MaxPool", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
    ),
    fused=frozenset({"Relu", "Clip"}),
    residual="every_input",
    quantized_outputs=True,
    bias="int32",
    light_heads=True,
    ranks=frozenset({4}),
)
