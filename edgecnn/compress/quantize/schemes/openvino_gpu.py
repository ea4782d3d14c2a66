"""OpenVINO's GPU plugin: the CPU's rules, with activations of a free zero point where they are signed.

The plugin applies the same low-precision transformations as the CPU's. Its kernels run what stays float in float16 by
themselves, and they fuse activation functions, sums and scalings behind a convolution. Not run on the device here.
"""

from dataclasses import replace

from edgecnn.compress.quantize.scheme import Format
from edgecnn.compress.quantize.schemes.openvino_cpu import SCHEME as CPU

SCHEME = replace(
    CPU,
    name="openvino_gpu",
    activation=Format("uint8", symmetric=False),
    joining=CPU.joining | {"Mul"},
    fused=CPU.fused - {"Mul"},
)
