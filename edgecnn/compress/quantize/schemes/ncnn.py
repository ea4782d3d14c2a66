"""ncnn's INT8: convolutions, depthwise ones and fully connected layers alone, float everywhere between.

A layer rounds its own input and gives float; only a convolution whose readers are all such layers passes INT8 on by
itself. Activations are signed, symmetric and without -128, one scale a tensor, and weights have one scale a channel.
The compiler writes integers and scales of the Q/DQ graph into ncnn's files, so that the graph is what ncnn computes.
"""

from edgecnn.compress.quantize.scheme import Format, Scheme

SCHEME = Scheme(
    name="ncnn",
    activation=Format("int8", symmetric=True, narrow=True),
    nonnegative=Format("int8", symmetric=True, narrow=True),
    weight=Format("int8", symmetric=True, narrow=True),
    channel_axis={"Conv": 0, "Gemm": 0, "MatMul": 1},
    joining=frozenset(),
    commuting=frozenset({"Flatten", "Reshape"}),
    fused=frozenset({"Clip", "HardSwish", "LeakyRelu", "Relu", "Sigmoid", "Tanh"}),
    residual="every_input",
    quantized_outputs=False,
    float_readers="exact",
    bias="float",
    ranks=frozenset({4}),
)
