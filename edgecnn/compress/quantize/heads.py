"""Heads that stay in float: an engine that writes INT8 alone would round an output of the graph for little gain."""

import onnx_ir as ir

from edgecnn.compress.quantize.graph import reaches_output
from edgecnn.compress.quantize.macs import macs
from edgecnn.compress.quantize.roles import after_fusion, role
from edgecnn.compress.quantize.scheme import Scheme

LIGHT = 0.05
"""Share of the network's multiplications up to which a head counts as light."""


def light_heads(model: ir.Model, scheme: Scheme) -> set[str]:
    """Return the names of the convolutions that give an output and do at most `LIGHT` of all multiplications.

    One that only activation functions and commuting nodes part from an output gives it too.
    """
    weighted = {node: _work(node) for node in model.graph if role(node, scheme) == "weighted"}
    budget = LIGHT * sum(weighted.values())
    return {
        str(node.name)
        for node, share in weighted.items()
        if node.op_type not in scheme.float_results
        and share <= budget
        and reaches_output(after_fusion(node.outputs[0], scheme), scheme.commuting)
    }


def _work(node: ir.Node) -> int:
    known = (value for value in (*node.inputs, *node.outputs) if value is not None and value.shape is not None)
    shapes = {str(value.name): value.shape.numpy() for value in known if value.shape and value.shape.is_static()}
    return macs(ir.to_proto(node), shapes)
