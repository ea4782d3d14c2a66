"""An ONNX model's inputs and outputs as `TensorSpec`s."""

import numpy as np
import onnx
from onnx import ModelProto, ValueInfoProto

from edgecnn.core.errors import StageError
from edgecnn.core.tensor import TensorSpec


def tensor_specs(model: ModelProto) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return the specs of inputs (without initializers) and outputs. uint8 [N, H, W, 3] is laid out `NHWC`.

    Raises:
        StageError: a shape is not fixed; engines are compiled for fixed shapes.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_spec(value) for value in model.graph.input if value.name not in constants)
    return inputs, tuple(_spec(value) for value in model.graph.output)


def _spec(value: ValueInfoProto) -> TensorSpec:
    tensor = value.type.tensor_type
    if not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        raise StageError(
            f"'{value.name}' has no fixed shape; export the model with fixed shapes and without what gives results of "
            "varying number, such as non-maximum suppression"
        )
    shape = tuple(dim.dim_value for dim in tensor.shape.dim)
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    layout = "NHWC" if dtype == "uint8" and len(shape) == 4 and shape[3] == 3 else ""
    return TensorSpec(value.name, shape, dtype, layout)


def opset_of(model: ModelProto) -> int:
    """Return the version of ONNX's own operators that the model uses, 0 where it names none."""
    return max((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), default=0)
