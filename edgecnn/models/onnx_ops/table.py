"""All of ONNX's operators that torch runs here, by name."""

from edgecnn.models.onnx_ops.elementwise import ELEMENTWISE
from edgecnn.models.onnx_ops.inputs import Op
from edgecnn.models.onnx_ops.layers import LAYERS
from edgecnn.models.onnx_ops.moving import MOVING
from edgecnn.models.onnx_ops.pooling import POOLING
from edgecnn.models.onnx_ops.reducing import REDUCING_OPS
from edgecnn.models.onnx_ops.resizing import RESIZING

OPS: dict[str, Op] = {**LAYERS, **POOLING, **RESIZING, **ELEMENTWISE, **MOVING, **REDUCING_OPS}
