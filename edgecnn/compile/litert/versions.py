"""The least version of each operator that has the types it is used with, as the schema's history tells."""

from collections.abc import Sequence

from edgecnn.compile.litert.writer import Tensor

# What is not named is at its first version in float, and at its second in int8.
_FLOAT = {
    "BROADCAST_TO": 2,
    "FULLY_CONNECTED": 1,
    "RESIZE_BILINEAR": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3,
    "GELU": 1,
    "TRANSPOSE_CONV": 3,
}
_INT8 = {
    "BROADCAST_TO": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "GELU": 1,
    "HARD_SWISH": 1,
    "MIRROR_PAD": 1,
    "PRELU": 1,
    "RESHAPE": 1,
    "RESIZE_BILINEAR": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3,
    "TILE": 1,
    "TRANSPOSE_CONV": 3,
}


def version_of(kind: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
    """Return the version to write for an operator between these tensors."""
    rounded = any(tensor.dtype == "int8" for tensor in (*inputs[:1], *outputs))
    return _INT8.get(kind, 2) if rounded else _FLOAT.get(kind, 1)
