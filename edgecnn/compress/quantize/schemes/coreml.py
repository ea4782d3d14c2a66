"""Core ML's quantized activations (iOS 17): signed and symmetric, as coremltools' own quantizer has them.

Integer weights have one scale a channel. What is between INT8 layers is float16, which the Neural Engine computes in as
well, so that activation functions and results stay in it. Both branches of a residual sum are rounded. Not run on the
device here.
"""

from dataclasses import replace

from edgecnn.compress.quantize.schemes.tensorrt_8 import SCHEME as SYMMETRIC

SCHEME = replace(
    SYMMETRIC,
    name="coreml",
    channel_axis={"Conv": 0, "ConvTranspose": 1, "Gemm": 0, "MatMul": 1},
    residual="every_input",
    weight_form="stored",
    grouped_transpose=False,
    ranks=frozenset({3, 4}),
    max_opset=20,
)
