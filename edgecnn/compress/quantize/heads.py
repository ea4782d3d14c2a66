"""Heads that stay in float: an engine that writes INT8 alone would round an output of the graph for little gain."""

import math

import onnx_ir as ir

from edgecnn.compress.quantize.graph import reaches_output
from edgecnn.compress.quantize.roles import after_fusion, role
from edgecnn.compress.quantize.scheme import Scheme

LIGHT = 0.05
"""Share of the network's multiplications up to which a head counts as light."""


def light_heads(model: ir.Model, scheme: Scheme) -> set[str]:
    """Return the names of the convolutions that give an output and do at most `LIGHT` of all multiplications.

    One that only activation functions and commuting nodes part from an output gives it too.
    """
    weighted = {node: work(node) for node in model.graph if role(node, scheme) == "weighted"}
    budget = LIGHT * sum(weighted.values())
    return {
        str(node.name)
        for node, share in weighted.items()
        if node.op_type not in scheme.float_results
        and share <= budget
        and reaches_output(after_fusion(node.outputs[0], scheme), scheme.commuting)
    }


def work(node: ir.Node) -> float:
    """Return the multiplications of a node with constant weights, 0 where a shape is unknown."""
    taken, weights, given = _shape(node.inputs[0]), _shape(node.inputs[1]), _shape(node.outputs[0])
    if not (taken and weights and given):
        return 0.0
    if node.op_type == "Conv":
        return float(math.prod(weights[1:]) * math.prod(given))
    if node.op_type == "ConvTranspose":
        return float(math.prod(weights[1:]) * math.prod(taken))
    return float(taken[-1] * math.prod(given))


def _shape(value: ir.Value | None) -> tuple[int, ...]:
    shape = value.shape if value is not None else None
    return tuple(int(length) for length in shape.numpy()) if shape is not None and shape.is_static() else ()
