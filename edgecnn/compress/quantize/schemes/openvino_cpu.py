"""OpenVINO's CPU plugin: unsigned activations, both branches of a residual sum quantized, bias in float.

Chosen by measurement (2026.4, AVX-512 VNNI, one thread, the lane network at 320x160):

- Pixels at a scale of 1 lose their Q, as one that changes nothing, and the first convolution runs in float: a detector
  at 352x352 then takes 1.2 times as long. A divisor a hair above 1 keeps it; what it gives is the same.
- Signed tensors are uint8 with a zero point. As int8 a concatenation of them comes out wrong (rounded to
  whole numbers, in 2026.4.1), and a detector made of shuffled units takes as long and errs a tenth more.
- Average pooling of a signed tensor whose padding counts is padded with a stored 0 instead of the zero point, even
  where the pool itself is not quantized (2026.4.1); as a depthwise convolution it is right.
- A residual sum whose inputs are both quantized runs inside its convolution. Quantizing the identity branch alone is as
  fast within noise, 3 % more exact, and leaves the rounding of some sums to a kernel of its own.
- With the fully connected head in float (2.9 million weights) the network takes 1.4 times as long, for an error of
  12.96 % instead of 12.98 %. The head's results are float either way.

And on single operators between two convolutions of 64 channels at 40x40, by the types in the profile:

- Activation functions run inside the convolution before; rounding in front of one turns the convolution behind it to
  float. Of those that do not (HardSigmoid, Softmax) an INT8 form does not exist.
- MaxPool, nearest Resize, Split, Slice, Pad and DepthToSpace run in INT8 where what goes in is rounded, and cost a
  kernel more where what comes out is.
- Concat of tensors with scales of their own makes the convolution behind it run in float, at four times the time.
- ConvTranspose with groups has no INT8 kernel; without, INT8 takes a third of float's time.
- The Mul of a squeeze-and-excitation gate takes as long either way, and so stays in float. So do the products of
  attention, which lose most of the accuracy.
"""

from edgecnn.compress.quantize.scheme import Format, Scheme

SCHEME = Scheme(
    name="openvino_cpu",
    activation=Format("uint8", symmetric=False),
    whole_slack=1e-4,
    nonnegative=Format("uint8", symmetric=False),
    weight=Format("int8", symmetric=True, narrow=True),
    channel_axis={"Conv": 0, "ConvTranspose": 1, "Gemm": 0, "MatMul": 1},
    grouped_transpose=False,
    counted_padding=False,
    joining=frozenset({"Add", "AveragePool", "GlobalAveragePool", "ReduceMean"}),
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
    residual="every_input",
    quantized_outputs=False,
    bias="float",
)
