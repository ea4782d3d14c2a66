"""Rules of rounded activations: format, one scale in all, and one scale for all who read a tensor."""

from collections.abc import Iterator

import onnx_ir as ir

from edgecnn.compress.quantize.graph import values
from edgecnn.compress.quantize.pooling import counts_padding
from edgecnn.compress.quantize.rules.reading import (
    DQ,
    Q,
    call,
    dequantizer,
    is_activation,
    of_type,
    quantizers,
    rounding,
)
from edgecnn.compress.quantize.scheme import Format, Scheme


def activations(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Check each DQ of an activation against the scheme's formats."""
    for node in of_type(model.graph, DQ):
        found = rounding(node)
        if not is_activation(node) or found.scale is None or found.zero is None:
            continue
        if not found.single or found.zero.size != 1:
            yield f"{call(node)}: an activation needs one scale in all, and it has {found.scale.size}"
            continue
        formats = {scheme.activation, scheme.nonnegative}
        zero = int(found.zero.reshape(()))
        as_stored = scheme.pixels_as_stored and found.dtype == "uint8" and _is_given(node)
        # A format for numbers of one sign alone has its zero at the end.
        signed = found.fits(scheme.activation)
        if not as_stored and not signed and not (found.fits(scheme.nonnegative) and zero == scheme.nonnegative.low):
            wanted = " or ".join(sorted({name(form) for form in formats}))
            yield f"{call(node)}: zero point {zero} ({found.dtype}) is in no activation format of the scheme: {wanted}"


def one_rounding(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Check that no tensor is rounded twice at different scales."""
    for value in values(model):
        keys = {rounding(node).key() for node in quantizers(value)}
        if len(keys - {None}) > 1:
            yield f"'{value.name}': it is quantized at {len(keys)} scales; {scheme.name} keeps one for all readers"


def counted_padding(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Check that no pool whose padding counts reads a rounded tensor whose zero is not stored as 0."""
    if scheme.counted_padding:
        return
    for node in model.graph:
        if not counts_padding(node):
            continue
        source = node.inputs[0].producer() if node.inputs[0] is not None else None
        before = dequantizer(source.inputs[0] if source is not None and source.op_type == "Pad" else node.inputs[0])
        zero = rounding(before).zero if before is not None else None
        if zero is not None and zero.any():
            yield (
                f"{call(node)}: its padding counts, and {scheme.name} pads with a stored 0 where the zero point is "
                f"{int(zero.reshape(-1)[0])}; write it as a depthwise convolution"
            )


def name(form: Format) -> str:
    """Return a format in words."""
    return f"{'symmetric ' if form.symmetric else ''}{form.dtype}"


def _is_given(node: ir.Node) -> bool:
    """Whether a DQ reads uint8 that no Q made: pixels."""
    source = node.inputs[0].producer() if node.inputs[0] is not None else None
    return source is None or source.op_type != Q
