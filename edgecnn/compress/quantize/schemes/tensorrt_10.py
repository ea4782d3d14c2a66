"""TensorRT 10 with strong typing: the rules of 8, with weights stored in INT8 and all else in float16.

A strongly typed network runs in the types that the file says, so that float32 left in it would run in float32. Q and DQ
take float16 scales since opset 19, and a DQ gives its scale's type. The parser of 10.0 reads up to opset 20. Not run on
the device here.
"""

from dataclasses import replace

from edgecnn.compress.quantize.schemes.tensorrt_8 import SCHEME as WEAK

SCHEME = replace(WEAK, name="tensorrt_10", weight_form="stored", float_type="float16", min_opset=19, max_opset=20)
