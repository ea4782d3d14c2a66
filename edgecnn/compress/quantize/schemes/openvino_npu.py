"""OpenVINO's NPU plugin: static graphs in INT8 end to end, one scale for all that an elementwise op takes.

The compiler keeps tensors in its scratch memory between ops, so that a float op in an INT8 graph costs a conversion
each way; it has INT8 forms of the elementwise ops, gates and products of attention, and of Sigmoid-like functions
behind a convolution. What stays float runs in float16. Not run on the device here.
"""

from dataclasses import replace

from edgecnn.compress.quantize.scheme import Format
from edgecnn.compress.quantize.schemes.openvino_cpu import SCHEME as CPU

SCHEME = replace(
    CPU,
    name="openvino_npu",
    activation=Format("uint8", symmetric=False),
    joining=CPU.joining | {"MatMul", "Mul", "Sub"},
    fused=CPU.fused - {"Add", "Mul", "Sub"},
)
