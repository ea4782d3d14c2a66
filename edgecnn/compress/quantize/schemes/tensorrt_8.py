"""TensorRT 8.4 to 8.6: zero points of zero, signed everything, weights kept in float behind Q and DQ, bias in float.

The parser takes opset 17 at most and no uint8. Typing is weak: the file is float32, and the builder's INT8 and FP16
flags choose what the rest runs in. Of a residual sum only the identity branch is rounded, so that convolution, sum and
activation become one kernel. Pooling that averages, Mul and Concat run in INT8 between Q and DQ; MaxPool and what
only moves values pass them on. A grouped ConvTranspose gets one scale in all. Not run on the device here.
"""

from edgecnn.compress.quantize.scheme import Format, Scheme

SCHEME = Scheme(
    name="tensorrt_8",
    activation=Format("int8", symmetric=True),
    nonnegative=Format("int8", symmetric=True),
    weight=Format("int8", symmetric=True, narrow=True),
    channel_axis={"Conv": 0, "ConvTranspose": 1, "Gemm": 0, "MatMul": 1},
    joining=frozenset({"Add", "AveragePool", "GlobalAveragePool"}),
    commuting=frozenset(
        {
            "Concat",
            "Flatten",
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
    fused=frozenset(
        {
            "Add",
            "Clip",
            "Elu",
            "Gelu",
            "HardSigmoid",
            "HardSwish",
            "LeakyRelu",
            "Mul",
            "PRelu",
            "Relu",
            "Sigmoid",
            "Silu",
            "Sub",
            "Tanh",
        }
    ),
    residual="identity_only",
    quantized_outputs=False,
    bias="float",
    weight_form="simulated",
    max_opset=17,
)
