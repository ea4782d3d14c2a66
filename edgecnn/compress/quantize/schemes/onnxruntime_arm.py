"""ONNX Runtime's CPU kernels on 64-bit ARM: signed activations with a free zero point, signed weights.

Both types of activation have kernels. The signed ones multiply signed by signed (SDOT, or SMLAL on older cores) with
the loads that suit it, while the unsigned ones shift every zero point by 128 first. A free zero point keeps all 256
levels, as unsigned ones would. Not run on the device here.
"""

from dataclasses import replace

from edgecnn.compress.quantize.scheme import Format
from edgecnn.compress.quantize.schemes.onnxruntime_x86 import SCHEME as X86

SCHEME = replace(
    X86,
    name="onnxruntime_arm",
    activation=Format("int8", symmetric=False),
    nonnegative=Format("int8", symmetric=False),
    pixels_as_stored=False,
)
