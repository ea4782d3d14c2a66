"""ONNX Runtime's CPU kernels on x86 with VNNI: an op is INT8 only between Q/DQ on every side, and its bias is int32.

The kernels multiply unsigned activations by signed weights. Pixels whose mean is one whole number go into the first
convolution as they are: without cast, subtraction and rounding the lane network takes 0.75 of the time.

Which ops fuse was read off the graphs that version 1.31 makes of Q/DQ around each: it has no INT8 form of
ConvTranspose, PRelu, HardSwish, HardSigmoid, Elu, Tanh, Pad, SpaceToDepth, ReduceMean, linear Resize, Sub or Div. Relu
and Clip vanish into the range of the output. A convolution can't give float, so that a light head stays float as a
whole; a heavy one gives its result rounded.
"""

from edgecnn.compress.quantize.scheme import Format, Scheme

SCHEME = Scheme(
    name="onnxruntime_x86",
    activation=Format("uint8", symmetric=False),
    nonnegative=Format("uint8", symmetric=False),
    weight=Format("int8", symmetric=True, narrow=True),
    channel_axis={"Conv": 0, "Gemm": 0, "MatMul": 1},
    joining=frozenset({"Add", "AveragePool", "GlobalAveragePool", "LeakyRelu", "Mul", "Sigmoid"}),
    commuting=frozenset(
        {
            "Concat",
            "DepthToSpace",
            "Flatten",
            "Gather",
            "MaxPool",
            "Reshape",
            "Resize",
            "Slice",
            "Split",
            "Squeeze",
            "Transpose",
            "Unsqueeze",
        }
    ),
    fused=frozenset({"Relu", "Clip"}),
    residual="every_input",
    quantized_outputs=True,
    bias="int32",
    pixels_as_stored=True,
    light_heads=True,
)
