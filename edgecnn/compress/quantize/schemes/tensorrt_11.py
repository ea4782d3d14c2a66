"""TensorRT 11: the rules of 10, which is strong typing always; the parser reads opsets up to 25.

Not run on the device here.
"""

from dataclasses import replace

from edgecnn.compress.quantize.schemes.tensorrt_10 import SCHEME as TEN

SCHEME = replace(TEN, name="tensorrt_11", max_opset=25)
