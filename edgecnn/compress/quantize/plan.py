"""Plan: which nodes run in INT8 under a scheme, which tensors are quantized for it, and which share a scale."""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgecnn.compress.quantize.graph import (
    activations,
    after_fusion,
    before_fusion,
    constant,
    only_reader,
    reaches_output,
)
from edgecnn.compress.quantize.pixels import Pixels, find_pixels
from edgecnn.compress.quantize.scheme import Scheme


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be placed.

    Attributes:
        nodes: names of the nodes that run in INT8, in the graph's order.
        tensors: quantized tensors by name, in the order found; equal numbers share one scale.
        pixels: those of them that are pixels and need no rounding.
        left_in_float: why each other node that computes stays in float.
    """

    nodes: list[str]
    tensors: dict[str, int]
    pixels: dict[str, Pixels]
    left_in_float: dict[str, str]

    def groups(self) -> list[list[str]]:
        """Return the tensors that share a scale, group by group."""
        numbers = dict.fromkeys(self.tensors.values())
        return [[name for name, group in self.tensors.items() if group == number] for number in numbers]


def make_plan(model: ir.Model, scheme: Scheme, keep_float: Iterable[str] = ()) -> Plan:
    """Return the plan of `scheme` for a float model whose values carry names; `keep_float` are node name patterns."""
    planner = _Planner(scheme, tuple(keep_float))
    for node in model.graph:
        planner.consider(node)
    if scheme.quantized_outputs:
        for node in planner.chosen:
            planner.quantize_output(node)
    return planner.finish()


class _Planner:
    def __init__(self, scheme: Scheme, keep_float: tuple[str, ...]) -> None:
        self.scheme, self.keep_float = scheme, keep_float
        self.chosen: list[ir.Node] = []
        self.left_in_float: dict[str, str] = {}
        self.wanted: dict[str, ir.Value] = {}
        self.groups: dict[str, int] = {}

    def consider(self, node: ir.Node) -> None:
        """Choose the node, or say why not. Nodes come in the graph's order, so its inputs were considered before."""
        reason = self._reason(node)
        if reason is None:
            self.chosen.append(node)
            for value in self._quantized_inputs(node):
                self._want(value)
        elif node.op_type not in self.scheme.commuting | self.scheme.fused:
            self.left_in_float[str(node.name)] = reason

    def quantize_output(self, node: ir.Node) -> None:
        """Quantize what a chosen node gives, unless it leaves the graph."""
        value = after_fusion(node.outputs[0], self.scheme.fused)
        leaves = value.is_graph_output() or (
            node.op_type in self.scheme.float_results and reaches_output(value, self.scheme.commuting)
        )
        if not leaves:
            self._want(value)

    def finish(self) -> Plan:
        """Return the plan. Pixels that share their scale with other tensors count as any tensor does."""
        pixels = {}
        for name, value in self.wanted.items():
            found = find_pixels(value, self.scheme.activation)
            if found is not None and list(self.groups.values()).count(self.groups[name]) == 1:
                pixels[name] = found
        return Plan([str(node.name) for node in self.chosen], self.groups, pixels, self.left_in_float)

    def _want(self, value: ir.Value) -> int:
        """Quantize `value`, or, where it only commutes, what it is made of; return the number of the shared scale."""
        name, source = str(value.name), value.producer()
        if name in self.groups:
            return self.groups[name]
        commutes = source is not None and source.op_type in self.scheme.commuting
        sources = activations(source) if source is not None and commutes else []
        if not sources or self.scheme.quantized_outputs:
            self.wanted[name] = value
            self.groups[name] = len(self.wanted)
            shared = {self.groups[name]}
        else:
            shared = set()
        for before in sources:
            shared.add(self._want(before))
        # Wanting one source may have merged the number of another.
        number = min(shared)
        self.groups.update({other: number for other, group in self.groups.items() if group in shared})
        return number

    def _reason(self, node: ir.Node) -> str | None:
        """Return why `node` stays in float, or None if it runs in INT8."""
        return self._refusal(node) or (
            _weight_reason(node) if node.op_type in self.scheme.channel_axis else self._joining_reason(node)
        )

    def _refusal(self, node: ir.Node) -> str | None:
        """Return why scheme or user keep the node in float, whatever its inputs."""
        scheme = self.scheme
        if node.op_type not in scheme.channel_axis and node.op_type not in scheme.joining:
            return f"{scheme.name} quantizes no {node.op_type}"
        for pattern in self.keep_float:
            if fnmatch.fnmatch(str(node.name), pattern):
                return f"kept in float by '{pattern}'"
        if node.op_type in scheme.float_heads and reaches_output(
            after_fusion(node.outputs[0], scheme.fused), scheme.commuting
        ):
            return "gives an output of the graph"
        return None

    def _joining_reason(self, node: ir.Node) -> str | None:
        if len(activations(node)) != len([value for value in node.inputs if value is not None]):
            return "one of its inputs is a constant"
        if not any(self._runs_in_int8(value) for value in activations(node)):
            return "none of its inputs comes from an INT8 node"
        return None

    def _runs_in_int8(self, value: ir.Value) -> bool:
        """Whether `value` is quantized already or is what an INT8 node gives."""
        if str(value.name) in self.groups:
            return True
        source = before_fusion(value, self.scheme.fused)
        if source is None:
            return False
        if source.op_type in self.scheme.commuting:
            return any(self._runs_in_int8(before) for before in activations(source))
        return source in self.chosen

    def _quantized_inputs(self, node: ir.Node) -> list[ir.Value]:
        if node.op_type in self.scheme.channel_axis:
            return activations(node)[:1]
        inputs = list(dict.fromkeys(activations(node)))
        if node.op_type == "Add" and self.scheme.residual == "identity_only":
            sums = [value for value in inputs if self._sums_in_place(value, node)]
            # The engine adds into the convolution that runs last; every other branch is read as INT8.
            inputs = [value for value in inputs if not sums or value is not sums[-1]]
        return inputs

    def _sums_in_place(self, value: ir.Value, add: ir.Node) -> bool:
        """Whether `value` is a convolution's bare result that only `add` reads, so that the sum fuses into it."""
        source = value.producer()
        return source is not None and source.op_type == "Conv" and source in self.chosen and only_reader(value) is add


def _weight_reason(node: ir.Node) -> str | None:
    """Return why a node with weights can't be quantized, or None."""
    weights = constant(node.inputs[1])
    if weights is None or weights.dtype != np.float32:
        return "its weights are not a float32 constant"
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None and getattr(constant(bias), "ndim", None) != 1:
        return "its bias is not a constant vector"
    if node.op_type == "MatMul" and weights.ndim != 2:
        return "its weights are not a matrix"
    if node.op_type == "Gemm" and (
        node.attributes.get_int("transA", 0) != 0
        or node.attributes.get_float("alpha", 1.0) != 1
        or node.attributes.get_float("beta", 1.0) != 1
    ):
        return "it transposes or scales its input"
    return None if activations(node)[:1] == [node.inputs[0]] else "its input is a constant"
