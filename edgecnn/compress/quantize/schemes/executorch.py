"""XNNPACK under ExecuTorch: signed activations with a free zero point, one scale a channel for weights.

Read off what version 1.5's partitioner takes as quantized: convolutions and fully connected layers with a Relu or a
Clip behind them, sums, differences and products, the mean over a picture, max pooling, and what only moves values. A
layer runs in INT8 only if its result is rounded too and nothing else reads it before. Transposed convolutions have one
scale a channel (axis 1) unless they are grouped. Average pooling, resizing and activation functions have no INT8 form.
Biases are left in float: the compiler rounds them to int32 at the scale of input times weight.
"""

from edgecnn.compress.quantize.scheme import Format, Scheme

SCHEME = Scheme(
    name="executorch",
    activation=Format("int8", symmetric=False),
    nonnegative=Format("int8", symmetric=False),
    weight=Format("int8", symmetric=True, narrow=True),
    channel_axis={"Conv": 0, "ConvTranspose": 1, "Gemm": 0, "MatMul": 1},
    joining=frozenset({"Add", "GlobalAveragePool", "Mul", "Sub"}),
    commuting=frozenset(
        {"Concat", "Flatten", "MaxPool", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
    ),
    fused=frozenset({"Relu", "Clip"}),
    residual="every_input",
    quantized_outputs=True,
    bias="float",
    light_heads=True,
    float_results=frozenset(),
    ranks=frozenset({4}),
)
