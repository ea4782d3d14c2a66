"""Does a quantized graph keep every rule of a scheme? Read from the graph alone, whoever placed its Q/DQ."""

from collections.abc import Iterator

import numpy as np
import onnx
import onnx_ir as ir

from edgecnn.compress.quantize.graph import after_fusion, constant, reaches_output
from edgecnn.compress.quantize.placement import channel_axis
from edgecnn.compress.quantize.scheme import Format, Scheme

Q, DQ = "QuantizeLinear", "DequantizeLinear"


def violations(model: onnx.ModelProto, scheme: Scheme) -> list[str]:
    """Return one sentence for each rule of `scheme` that `model` breaks; empty if it keeps them all."""
    graph = ir.from_proto(model).graph
    found: list[str] = []
    for node in graph:
        if node.op_type in {Q, DQ}:
            found.extend(_parameters(node))
        elif any(_dequantized(value) is not None for value in node.inputs):
            found.extend(_node(node, scheme))
    return found


def _parameters(node: ir.Node) -> Iterator[str]:
    """Check that scale and zero point are constants, positive, in range, and of one shape."""
    scale, zero = constant(node.inputs[1]), constant(node.inputs[2] if len(node.inputs) > 2 else None)
    if scale is None or zero is None:
        yield f"'{node.name}': scale and zero point must be constants"
    elif not (np.isfinite(scale).all() and (scale > 0).all()):
        yield f"'{node.name}': a scale is not positive"
    elif scale.shape != zero.shape:
        yield f"'{node.name}': scale and zero point differ in shape"


def _node(node: ir.Node, scheme: Scheme) -> Iterator[str]:
    weight = _dequantized(node.inputs[1]) if node.op_type in scheme.channel_axis else None
    if weight is not None and not _is_activation(weight):
        yield from _weighted(node, weight, scheme)
    elif node.op_type in scheme.commuting:
        yield from _commuting(node, scheme)
    elif node.op_type in scheme.joining and scheme.quantized_outputs and not _written_in_int8(node, scheme):
        yield f"'{node.name}': its output is not quantized"
    if node.op_type == "Add" and scheme.residual == "identity_only" and _sums_rounded(node):
        yield f"'{node.name}': every input is quantized, and one is a convolution's that could add in place"
    for value in node.inputs:
        quantizer = _dequantized(value)
        if quantizer is not None and _is_activation(quantizer):
            yield from _activation(quantizer, scheme)


def _weighted(node: ir.Node, weight: ir.Node, scheme: Scheme) -> Iterator[str]:
    inner = _dequantized(node.inputs[0])
    if inner is None and not _behind_commuting(node.inputs[0], scheme):
        yield f"'{node.name}': its weights are quantized and its input is not"
    scale, axis = constant(weight.inputs[1]), channel_axis(node, scheme)
    zero = constant(weight.inputs[2] if len(weight.inputs) > 2 else None)
    if scale is None or zero is None:
        return
    if zero.dtype != np.dtype(scheme.weight.dtype) or (scheme.weight.symmetric and zero.any()):
        yield f"'{node.name}': its weights are not {_text(scheme.weight)}"
    if (scale.ndim == 1) != (axis is not None):
        yield f"'{node.name}': its weights need {'one scale a channel' if axis is not None else 'one scale in all'}"
    elif axis is not None and weight.attributes.get_int("axis", 1) != axis:
        yield f"'{node.name}': its weights are scaled along axis {weight.attributes.get_int('axis', 1)}, not {axis}"
    simulated = weight.inputs[0] is not None and weight.inputs[0].producer() is not None
    if simulated != (scheme.weight_form == "simulated"):
        yield f"'{node.name}': its weights must be {scheme.weight_form}"
    yield from _bias(node, inner, scale, scheme)
    if scheme.quantized_outputs and not _written_in_int8(node, scheme):
        yield f"'{node.name}': its output is not quantized"


def _bias(node: ir.Node, inner: ir.Node | None, weight_scale: np.ndarray, scheme: Scheme) -> Iterator[str]:
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return
    bias = _dequantized(node.inputs[2])
    if scheme.bias == "float":
        if bias is not None:
            yield f"'{node.name}': its bias is quantized, and the scheme wants it in float"
        return
    before = constant(inner.inputs[1]) if inner is not None else None
    stored, scale = (constant(bias.inputs[0]), constant(bias.inputs[1])) if bias is not None else (None, None)
    if stored is None or scale is None or stored.dtype != np.int32:
        yield f"'{node.name}': its bias is not int32"
    elif before is not None and not np.allclose(scale, before * weight_scale, rtol=1e-6, atol=0):
        yield f"'{node.name}': its bias is not at the scale of input times weight"


def _commuting(node: ir.Node, scheme: Scheme) -> Iterator[str]:
    """Check that all quantized neighbours share one scale."""
    beside = [_dequantized(value) for value in node.inputs]
    if scheme.quantized_outputs:
        beside += [use.node for value in node.outputs for use in value.uses() if use.node.op_type == Q]
    known = [(constant(n.inputs[1]), constant(n.inputs[2])) for n in beside if n is not None and _is_activation(n)]
    pairs = {(float(s), int(z), z.dtype.name) for s, z in known if s is not None and z is not None and s.ndim == 0}
    if len(pairs) > 1:
        yield f"'{node.name}': its inputs and outputs must share one scale"


def _activation(quantizer: ir.Node, scheme: Scheme) -> Iterator[str]:
    scale, zero = constant(quantizer.inputs[1]), constant(quantizer.inputs[2])
    if scale is None or zero is None:
        return
    if scale.ndim != 0:
        yield f"'{quantizer.name}': an activation needs one scale in all"
        return
    if not any(_fits(zero, form) for form in (scheme.activation, scheme.nonnegative)) and not (
        scheme.pixels_as_stored and _is_pixels(quantizer)
    ):
        yield f"'{quantizer.name}': zero point {int(zero)} ({zero.dtype}) is in no activation format of the scheme"


def _fits(zero: np.ndarray, form: Format) -> bool:
    return zero.dtype == np.dtype(form.dtype) and (not form.symmetric or int(zero) == (form.low + form.high + 1) // 2)


def _sums_rounded(add: ir.Node) -> bool:
    """Whether all inputs are quantized although one is a convolution's bare result that only `add` reads."""
    quantizers = [_dequantized(value) for value in add.inputs]
    rounded = [node.inputs[0].producer() for node in quantizers if node is not None and node.inputs[0] is not None]
    if len(rounded) < len(quantizers) or any(node is None or node.op_type != Q for node in rounded):
        return False
    return any(_is_bare_convolution(node.inputs[0]) for node in rounded if node is not None)


def _is_bare_convolution(value: ir.Value | None) -> bool:
    source = value.producer() if value is not None and len(value.uses()) == 1 else None
    return source is not None and source.op_type == "Conv"


def _is_pixels(quantizer: ir.Node) -> bool:
    source = quantizer.inputs[0]
    before = source.producer() if source is not None else None
    return before is None or before.op_type != Q


def _is_activation(quantizer: ir.Node) -> bool:
    """Whether what is dequantized is computed, not a constant that was stored or quantized."""
    source = quantizer.inputs[0]
    before = source.producer() if source is not None else None
    if before is not None and before.op_type == Q:
        source = before.inputs[0]
    return constant(source) is None


def _dequantized(value: ir.Value | None) -> ir.Node | None:
    """Return the DequantizeLinear that gives `value`, or None."""
    node = value.producer() if value is not None else None
    return node if node is not None and node.op_type == DQ else None


def _behind_commuting(value: ir.Value | None, scheme: Scheme) -> bool:
    node = value.producer() if value is not None else None
    if node is None or node.op_type not in scheme.commuting or scheme.quantized_outputs:
        return False
    return any(_dequantized(before) is not None or _behind_commuting(before, scheme) for before in node.inputs)


def _written_in_int8(node: ir.Node, scheme: Scheme) -> bool:
    value = after_fusion(node.outputs[0], scheme.fused)
    through = scheme.commuting if node.op_type in scheme.float_results else frozenset()
    return reaches_output(value, through) or any(use.node.op_type == Q for use in value.uses())


def _text(form: Format) -> str:
    return f"{'symmetric ' if form.symmetric else ''}{form.dtype}"
