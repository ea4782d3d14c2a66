"""What is legal and slower, or less exact, than it need be."""

from collections.abc import Iterator

import onnx_ir as ir

from edgecnn.compress.quantize.graph import constant, only_reader
from edgecnn.compress.quantize.operands import channel_axis
from edgecnn.compress.quantize.roles import after_fusion, role
from edgecnn.compress.quantize.rules.reading import (
    DQ,
    Q,
    call,
    dequantizer,
    is_activation,
    of_type,
    quantizers,
    rounding,
    weights_of,
)
from edgecnn.compress.quantize.scheme import Scheme


def residual_sums(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Find sums that read every branch rounded where one could add in place."""
    for node in model.graph:
        if node.op_type != "Add" or scheme.residual != "identity_only":
            continue
        pairs = [dequantizer(value) for value in node.inputs]
        sources = [
            pair.inputs[0].producer() if pair is not None and pair.inputs[0] is not None else None for pair in pairs
        ]
        if not all(source is not None and source.op_type == Q for source in sources):
            continue
        bare = [source for source in sources if source is not None and _is_bare_convolution(source.inputs[0])]
        if bare:
            yield f"{call(node)}: every input is quantized, and one could add in place: leave a convolution's float"


def rounding_before_activation(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Find Q and DQ between a convolution and the activation function that the engine would run inside it."""
    if scheme.clamping:
        return
    for node in of_type(model.graph, DQ):
        source = node.inputs[0].producer() if node.inputs[0] is not None else None
        if source is None or source.op_type != Q or source.inputs[0] is None or len(source.outputs[0].uses()) != 1:
            continue
        before, reader = source.inputs[0].producer(), only_reader(node.outputs[0])
        if before is None or reader is None or reader.op_type not in scheme.fused - {"Add", "Mul", "Sub"}:
            continue
        if before.op_type in scheme.channel_axis:
            yield f"{call(node)}: it stands between {before.op_type} and {reader.op_type}, which run as one without it"


def coarse_weights(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Find weights with one scale where each channel could have its own, or kept in float where INT8 would do."""
    for node in model.graph:
        found, direct = weights_of(node) if node.op_type in scheme.channel_axis else (None, True)
        if found is None:
            continue
        if direct and rounding(found).single and channel_axis(node, scheme) is not None and _channels(node) > 1:
            yield f"{call(node)}: its weights have one scale; one a channel is more exact at the same speed"
        if scheme.weight_form == "stored" and constant(found.inputs[0]) is None:
            yield f"{call(node)}: its weights are float behind Q and DQ; stored integers take a quarter of the space"


def needless_pairs(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Find Q and DQ between float ops, which cost two conversions and gain nothing."""
    for node in of_type(model.graph, DQ):
        if not is_activation(node):
            continue
        again = [reader for reader in quantizers(node.outputs[0]) if rounding(reader).key() == rounding(node).key()]
        if again and rounding(node).key() is not None:
            yield f"{call(again[0])}: it rounds again at the scale that {call(node)} has just left; join the two"
        source = node.inputs[0].producer() if node.inputs[0] is not None else None
        value = source.inputs[0] if source is not None and source.op_type == Q else None
        producer = value.producer() if value is not None else None
        floats = all(_is_float(use.node, scheme) for use in node.outputs[0].uses())
        alone = source is not None and len(source.outputs[0].uses()) == 1
        if value is not None and floats and alone and (producer is None or _is_float(producer, scheme)):
            yield f"{call(node)}: only float ops stand on either side of it; take it out"


def moved_anew(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Find nodes that only move values and have another scale behind than in front."""
    for node in model.graph:
        if node.op_type == "Concat" or role(node, scheme) != "commuting":
            continue
        before = dequantizer(node.inputs[0])
        behind = [reader for value in node.outputs for reader in quantizers(value)]
        keys = {rounding(pair).key() for pair in ([before] if before is not None else []) + behind} - {None}
        if before is not None and len(keys) > 1:
            yield f"{call(node)}: its input and its output have {len(keys)} scales; at one it would only move integers"


def heard_twice(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Find results of convolutions that are rounded although a single float op reads them."""
    if scheme.quantized_outputs:
        return
    for node in model.graph:
        if weights_of(node)[0] is None:
            continue
        for quantizer in quantizers(after_fusion(node.outputs[0], scheme)):
            readers = [use.node for out in quantizer.outputs[0].uses() for use in out.node.outputs[0].uses()]
            if readers and all(_is_float(reader, scheme) for reader in readers):
                yield f"{call(quantizer)}: the output of {call(node)} is rounded for float ops alone; leave it float"


def _is_float(node: ir.Node, scheme: Scheme) -> bool:
    if node.op_type in {Q, DQ}:
        return False
    part = role(node, scheme)
    return weights_of(node)[0] is None and part in {"other", "weighted"}


def _is_bare_convolution(value: ir.Value | None) -> bool:
    source = value.producer() if value is not None and len(value.uses()) == 1 else None
    return source is not None and source.op_type == "Conv"


def _channels(node: ir.Node) -> int:
    shape = node.outputs[0].shape
    length = shape[1 if "Conv" in node.op_type else -1] if shape is not None and len(shape) > 1 else 2
    return length if isinstance(length, int) else 2
