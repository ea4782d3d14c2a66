"""ONNX Runtime's CPU kernels on x86 without VNNI: weights of 7 bits.

`vpmaddubsw` adds pairs of products of unsigned and signed bytes in 16 bits, and saturates: 2 * 255 * 127 is twice what
fits. With weights up to 63 the sum of two stays at 32130, below 32767.
"""

from dataclasses import replace

from edgecnn.compress.quantize.scheme import Format
from edgecnn.compress.quantize.schemes.onnxruntime_x86 import SCHEME as X86

SCHEME = replace(X86, name="onnxruntime_avx2", weight=Format("int8", symmetric=True, narrow=True, bits=7))
