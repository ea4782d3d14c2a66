"""Plan: which nodes run in INT8 under a scheme, which tensors are quantized for it, and which share a scale."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import onnx_ir as ir

from edgecnn.compress.quantize.graph import into_subgraphs, is_constant, only_reader, reaches_output
from edgecnn.compress.quantize.heads import light_heads
from edgecnn.compress.quantize.islands import without_detours
from edgecnn.compress.quantize.kept import Kept
from edgecnn.compress.quantize.pixels import Pixels, find_pixels
from edgecnn.compress.quantize.refusal import refusal
from edgecnn.compress.quantize.roles import after_fusion, before_fusion, moved, operands, role
from edgecnn.compress.quantize.scheme import Scheme

KEPT = "kept in float by"
"""How the reason begins why a node is in float that was asked to be; its name or pattern follows."""
NO_GAIN = "none of its inputs comes from an INT8 node, or INT8 would convert more than it saves"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be placed.

    Attributes:
        nodes: names of the nodes that run in INT8, in the graph's order.
        tensors: quantized tensors by name, in the order found; equal numbers share one scale.
        pixels: those of them that are pixels and need no rounding.
        left_in_float: why each other node that computes stays in float.
        readers: for each tensor the inputs that read it rounded, as (node, index of the input).
        clamped: tensors in front of an activation function that only cuts, each with the tensor whose scale it takes.
        ends: those of the tensors that leave the graph rounded.
    """

    nodes: list[str]
    tensors: dict[str, int]
    pixels: dict[str, Pixels]
    left_in_float: dict[str, str]
    readers: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    clamped: dict[str, str] = field(default_factory=dict)
    ends: set[str] = field(default_factory=set)

    def groups(self) -> list[list[str]]:
        """Return the tensors that share a scale, group by group."""
        found: dict[int, list[str]] = {}
        for name, number in self.tensors.items():
            found.setdefault(number, []).append(name)
        return list(found.values())


def make_plan(model: ir.Model, scheme: Scheme, keep_float: Iterable[str] = ()) -> Plan:
    """Return the plan of `scheme` for a float model whose values and nodes carry names.

    `keep_float` holds node names and name patterns (`*`, `?`, `[]`). A node that only commutes may be named too: then
    no scale is shared across it, and its result is rounded instead of what goes in.
    """
    captured = into_subgraphs(model, scheme.commuting | scheme.fused)
    chosen, reasons = _choose(model, scheme, Kept(keep_float), captured)
    planner = _Planner(scheme, chosen, reasons, captured)
    for node in chosen:
        planner.quantize_inputs(node)
    if scheme.quantized_outputs:
        for node in chosen:
            planner.quantize_output(node)
    return planner.finish(model)


def _choose(
    model: ir.Model, scheme: Scheme, kept: Kept, captured: set[ir.Node]
) -> tuple[dict[ir.Node, None], dict[str, str]]:
    """Return the nodes that run in INT8, and why each other node that computes does not."""
    heads = light_heads(model, scheme) if scheme.light_heads else set()
    able: dict[ir.Node, None] = {}
    reasons: dict[str, str] = {}
    for node in model.graph:
        name, part = str(node.name), role(node, scheme)
        reason = f"{KEPT} '{match}'" if (match := kept.match(name)) is not None else None
        if node in captured and (scheme.quantized_outputs or part == "commuting"):
            reason = reason or "a subgraph reads its result"
        if part in {"weighted", "joining", "other"}:
            reason = reason or ("gives an output of the graph" if name in heads else refusal(node, scheme))
        if reason is not None and part != "fused":
            reasons[name] = reason
        elif part in {"weighted", "joining"}:
            able[node] = None
    chosen = without_detours(able, set(reasons), scheme)
    reasons.update({str(node.name): NO_GAIN for node in able if node not in chosen})
    return chosen, reasons


class _Planner:
    def __init__(
        self, scheme: Scheme, chosen: dict[ir.Node, None], reasons: dict[str, str], captured: set[ir.Node]
    ) -> None:
        self.scheme, self.chosen, self.reasons = scheme, chosen, reasons
        # ONNX Runtime moves a DQ past what commutes, and aborts where it meets the input of a subgraph.
        self.exact = {node for node in captured if node.op_type in scheme.commuting}
        self.wanted: dict[str, ir.Value] = {}
        self.shared: dict[str, str] = {}
        self.readers: dict[str, set[tuple[str, int]]] = {}
        self.moving: set[ir.Node] = set()

    def quantize_inputs(self, node: ir.Node) -> None:
        """Quantize what a chosen node reads."""
        exact = self._exact_branch(node)
        for index, value in operands(node)[:1] if role(node, self.scheme) == "weighted" else operands(node):
            if not is_constant(value) and value is not exact:
                self._read(value, node, index)

    def quantize_output(self, node: ir.Node) -> None:
        """Quantize what a chosen node gives, unless it leaves the graph and may leave in float."""
        value = after_fusion(node.outputs[0], self.scheme)
        in_float = node.op_type in self.scheme.float_results and not self.scheme.rounded_ends
        if not (in_float and reaches_output(value, self.scheme.commuting)):
            self._want(value)

    def finish(self, model: ir.Model) -> Plan:
        """Return the plan. Pixels that share their scale with other tensors count as any tensor does."""
        if self.scheme.rounded_ends:
            for value in model.graph.outputs:
                if not is_constant(value) and value.dtype == ir.DataType.FLOAT and self._written_in_int8(value):
                    self._want(value)
        numbers: dict[str, int] = {}
        groups = {name: numbers.setdefault(self._root(name), len(numbers) + 1) for name in self.wanted}
        alone = Counter(groups.values())
        found = {name: find_pixels(value, self.scheme.activation) for name, value in self.wanted.items()}
        pixels = {name: own for name, own in found.items() if own is not None and alone[groups[name]] == 1}
        clamped = self._clamped() if self.scheme.clamping else {}
        ends = {name for name, value in self.wanted.items() if self._leaves_rounded(value)}
        if self.scheme.float_readers == "rounded":
            self._add_float_readers(model.graph)
        readers = {name: self.readers.get(name, set()) for name in [*self.wanted, *clamped]}
        return Plan([str(node.name) for node in self.chosen], groups, pixels, self.reasons, readers, clamped, ends)

    def _read(self, value: ir.Value, node: ir.Node, index: int) -> None:
        """Let `node` read `value` rounded."""
        self._want(value)
        self.readers.setdefault(str(value.name), set()).add((str(node.name), index))

    def _want(self, value: ir.Value) -> None:
        """Quantize `value`, or, where it only commutes, what it is made of."""
        name, source = str(value.name), value.producer()
        if name in self.shared:
            return
        self.shared[name] = name
        moves = source is not None and role(source, self.scheme) == "commuting" and source.name not in self.reasons
        if not moves or self.scheme.quantized_outputs:
            self.wanted[name] = value
        if source is None or not moves:
            return
        self.moving.add(source)
        for index, before in moved(source):
            self._read(before, source, index)
            self.shared[self._root(name)] = self._root(str(before.name))

    def _root(self, name: str) -> str:
        """Return the name that stands for all tensors that share a scale with `name`."""
        while self.shared[name] != name:
            name = self.shared[name]
        return name

    def _exact_branch(self, node: ir.Node) -> ir.Value | None:
        """Return the input that a sum takes in float: a convolution's bare result that only the sum reads."""
        if node.op_type != "Add" or self.scheme.residual != "identity_only":
            return None
        # The engine adds into the convolution that runs last; every other branch is read as INT8.
        return next(
            (value for value in node.inputs[::-1] if value is not None and self._sums_in_place(value, node)), None
        )

    def _sums_in_place(self, value: ir.Value, add: ir.Node) -> bool:
        source = value.producer()
        return source is not None and source.op_type == "Conv" and source in self.chosen and only_reader(value) is add

    def _written_in_int8(self, value: ir.Value) -> bool:
        """Whether an INT8 node writes `value`, by itself or behind nodes that only move it."""
        source = before_fusion(value, self.scheme)
        return source is not None and (source in self.chosen or source in self.moving)

    def _leaves_rounded(self, value: ir.Value) -> bool:
        return self.scheme.quantized_outputs and value.is_graph_output() and self._written_in_int8(value)

    def _add_float_readers(self, graph: ir.Graph) -> None:
        """Let float nodes read the rounded form of what INT8 nodes give, so that it is written once."""
        for name, value in self.wanted.items():
            if self._written_in_int8(value):
                uses = [use for use in value.uses() if use.node.graph is graph and use.node not in self.exact]
                here = {(str(use.node.name), use.idx) for use in uses}
                self.readers.setdefault(name, set()).update(here)

    def _clamped(self) -> dict[str, str]:
        """Return what stands in front of activation functions that only cut, each with what comes out of them."""
        found: dict[str, str] = {}
        for node in self.chosen:
            value, last = node.outputs[0], after_fusion(node.outputs[0], self.scheme)
            while value is not last and str(last.name) in self.wanted:
                reader = only_reader(value)
                if reader is None or reader.op_type not in self.scheme.clamping:
                    break
                found[str(value.name)] = str(last.name)
                self.readers.setdefault(str(value.name), set()).add((str(reader.name), 0))
                value = reader.outputs[0]
        return found
