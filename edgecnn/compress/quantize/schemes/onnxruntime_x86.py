"""ONNX Runtime's CPU kernels on x86: an op is INT8 only between Q/DQ on every side, and its bias is int32.

The kernels multiply unsigned activations by signed weights. Without VNNI (AVX2 alone) they add pairs of products in 16
bits, which can saturate; the golden vectors show it on the machine. Pixels whose mean is one whole number go into the
first convolution as they are: without cast, subtraction and rounding the lane network takes 0.75 of the time.
"""

from edgecnn.compress.quantize.scheme import Format, Scheme

SCHEME = Scheme(
    name="onnxruntime_x86",
    activation=Format("uint8", symmetric=False),
    nonnegative=Format("uint8", symmetric=False),
    weight=Format("int8", symmetric=True, narrow=True),
    channel_axis={"Conv": 0, "Gemm": 0, "MatMul": 1},
    joining=frozenset({"Add", "AveragePool", "GlobalAveragePool", "Mul"}),
    commuting=frozenset(
        {"Concat", "Flatten", "MaxPool", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
    ),
    fused=frozenset({"Relu", "Clip"}),
    residual="every_input",
    quantized_outputs=True,
    bias="int32",
    pixels_as_stored=True,
)
