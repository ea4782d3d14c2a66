"""Every value's type and shape, as far as they follow from the inputs."""

import onnx
import onnx_ir as ir

from edgecnn.core.errors import InputError, line_of
from edgecnn.export.passes.editing import nodes

KEEPS_SHAPE = frozenset(
    {
        "Gelu",
        "GroupNormalization",
        "LayerNormalization",
        "MeanVarianceNormalization",
        "Mish",
        "RMSNormalization",
        "Swish",
    }
)
"""Operators defined by others, which inference does not always see through; all keep their input's shape."""
LARGE = 1000
"""Bytes of an initializer that can be no shape: inference need not see its numbers."""


def infer_shapes(model: ir.Model) -> None:
    """Note the type and shape of every value of the main graph by ONNX's inference, arithmetic on shapes included.

    A size that was known stays. Unlike a pass this changes nothing that the model computes or says to the outside.

    Raises:
        InputError: ONNX's inference finds that the graph can't be: shapes that do not fit, for instance.
    """
    _infer(model)
    while _carry_over(model):
        _infer(model)


def _carry_over(model: ir.Model) -> bool:
    """Give the shape of its input to what an operator of `KEEPS_SHAPE` computes, where inference could not."""
    found = False
    for node in nodes(model, *KEEPS_SHAPE):
        source, output = node.inputs[0], node.outputs[0]
        if source is not None and source.shape is not None and output.shape is None:
            output.shape, output.type = source.shape.copy(), source.type
            found = True
    return found


def _infer(model: ir.Model) -> None:
    proto = _without_weights(model)
    try:
        inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise InputError(f"the model's shapes do not fit: {line_of(error)}") from error
    found = {entry.name: entry.type for entry in (*inferred.graph.value_info, *inferred.graph.output)}
    for value in (output for node in model.graph for output in node.outputs):
        entry = found.get(str(value.name))
        if entry is not None and entry.WhichOneof("value") == "tensor_type":
            _note(value, entry.tensor_type)


def _note(value: ir.Value, entry: onnx.TypeProto.Tensor) -> None:
    if value.dtype is None and entry.elem_type:
        value.type = ir.TensorType(ir.DataType(entry.elem_type))
    if not entry.HasField("shape"):
        return
    new = [size.dim_value if size.HasField("dim_value") else None for size in entry.shape.dim]
    old = [None] * len(new) if value.shape is None else list(value.shape)
    if len(old) == len(new):
        value.shape = ir.Shape([was if isinstance(was, int) else now for was, now in zip(old, new, strict=True)])


def _without_weights(model: ir.Model) -> onnx.ModelProto:
    """Return the model with its large initializers as inputs; inference looks at their shape alone."""
    proto = ir.to_proto(model)
    small = []
    for tensor in proto.graph.initializer:
        if tensor.ByteSize() < LARGE:
            small.append(tensor)
        else:
            proto.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    kept = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in small]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)
    return proto
