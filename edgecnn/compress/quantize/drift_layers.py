"""What the drift report says of each node, put together from what was measured."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import onnx
from onnx import numpy_helper

from edgecnn.compress.quantize.drift_meter import DriftMeter
from edgecnn.compress.quantize.drift_tensors import in_db, weight_drift
from edgecnn.compress.quantize.macs import macs
from edgecnn.compress.quantize.operands import output_axis
from edgecnn.compress.quantize.simulate import Array
from edgecnn.compress.quantize.splice import MOVING
from edgecnn.core.evidence import LayerDrift, WeightDrift

Precision: TypeAlias = Literal["int8", "float"]
WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
FUSED = frozenset({"Clip", "Relu"})
"""Activation functions that every scheme runs inside the layer before."""


def describe(
    float_model: onnx.ModelProto,
    meter: DriftMeter,
    shares: Mapping[str, float],
    rounded_weights: Mapping[str, Array],
    left_in_float: Mapping[str, str],
    layer_ms: Mapping[str, float],
) -> tuple[tuple[LayerDrift, ...], tuple[str, ...]]:
    """Return the nodes with a float result, in order, and the names of those without a partner."""
    joined = meter.joined
    constants = {one.name: one for one in float_model.graph.initializer}
    shapes = joined.shapes | {name: tuple(one.dims) for name, one in constants.items()}
    precisions: dict[str, Precision] = {}
    layers, unmatched = [], []
    for node in float_model.graph.node:
        name = node.output[0]
        if name not in joined.floats:
            continue
        if name not in joined.paired:
            unmatched.append(node.name or name)
        precisions[name] = _precision(node, meter, precisions, left_in_float)
        partner = joined.layers.get(name)
        total, alone = meter.accumulated.get(name), meter.born.get(name)
        layers.append(
            LayerDrift(
                name=node.name or name,
                op=node.op_type,
                precision="moved" if node.op_type in MOVING else precisions[name],
                snr_db=in_db(total) if total else None,
                born_db=in_db(alone) if alone else None,
                share=shares.get(name, 0.0),
                reads=_reads(partner, meter),
                weights=_weights(node, partner, constants, rounded_weights) if partner is not None else None,
                reason=left_in_float.get(node.name, ""),
                macs=macs(node, shapes),
                time_ms=layer_ms.get(node.name),
            )
        )
    return tuple(layers), tuple(unmatched)


def _precision(
    node: onnx.NodeProto, meter: DriftMeter, before: Mapping[str, Precision], left_in_float: Mapping[str, str]
) -> Precision:
    """Return what the node computes in; a function fused into the layer before, or a node that moves, as that does."""
    partner = meter.joined.layers.get(node.output[0])
    if node.name in left_in_float:
        return "float"
    if partner is not None and _reads(partner, meter):
        return "int8"
    follows = node.op_type in MOVING or (bool(left_in_float) and node.op_type not in WEIGHTED) or node.op_type in FUSED
    return before.get(node.input[0], "float") if follows and node.input else "float"


def _reads(partner: onnx.NodeProto | None, meter: DriftMeter) -> tuple[str, ...]:
    names = partner.input if partner is not None else ()
    return tuple(dict.fromkeys(tensor for name in names for tensor in meter.joined.rounded.get(name, ())))


def _weights(
    node: onnx.NodeProto,
    partner: onnx.NodeProto,
    constants: Mapping[str, onnx.TensorProto],
    rounded: Mapping[str, Array],
) -> WeightDrift | None:
    if len(node.input) < 2 or len(partner.input) < 2 or node.input[1] not in constants:
        return None
    weights, stored = numpy_helper.to_array(constants[node.input[1]]), rounded.get(partner.input[1])
    if stored is None or stored.shape != weights.shape or not weights.size or node.op_type not in WEIGHTED:
        return None
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    return weight_drift(weights, stored, output_axis(node.op_type, weights.ndim, transposed=transposed))
