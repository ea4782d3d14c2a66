"""Which ops without weights are worth running in INT8: those that save conversions, or at least cost none."""

import math
from collections.abc import Iterable

import onnx_ir as ir

from edgecnn.compress.quantize.graph import is_constant, reaches_output
from edgecnn.compress.quantize.roles import after_fusion, before_fusion, moved, operands, role
from edgecnn.compress.quantize.scheme import Scheme


def without_detours(chosen: Iterable[ir.Node], held: set[str], scheme: Scheme) -> dict[ir.Node, None]:
    """Return the chosen nodes less the joining ones that no INT8 node feeds, or that convert more than they save.

    What a conversion costs is taken as the number of values converted. `held` names commuting nodes that no scale is
    shared across.
    """
    islands = _Islands(scheme, dict.fromkeys(chosen), held)
    joining = [node for node in islands.kept if role(node, scheme) == "joining"]
    # Backwards too, for dropping a node can take the reason for its neighbours away on either side.
    for _ in joining:
        before = len(islands.kept)
        for node in [*joining, *joining[::-1]]:
            islands.drop(node)
        if len(islands.kept) == before:
            break
    return islands.kept


class _Islands:
    def __init__(self, scheme: Scheme, kept: dict[ir.Node, None], held: set[str]) -> None:
        self.scheme, self.kept, self.held = scheme, kept, held

    def drop(self, node: ir.Node) -> None:
        """Drop a joining node that is there and not worth it."""
        if node in self.kept and not self._pays(node):
            del self.kept[node]

    def _pays(self, node: ir.Node) -> bool:
        inputs = dict.fromkeys(value for _, value in operands(node) if not is_constant(value))
        there = {value for value in inputs if self._is_int8(value) or self._is_wanted(value, node)}
        if not there:
            return False
        if not self.scheme.quantized_outputs:
            return True
        result = after_fusion(node.outputs[0], self.scheme)
        wanted, size = self._is_wanted(result, None), _size(result)
        as_int8 = sum(_size(value) for value in inputs if value not in there) + (0 if wanted else size)
        as_float = sum(_size(value) for value in there) + (size if wanted else 0)
        if as_int8 == as_float and not self.scheme.rounded_ends:
            return not reaches_output(result, self.scheme.commuting)
        return as_int8 <= as_float or self.scheme.rounded_ends

    def _is_int8(self, value: ir.Value) -> bool:
        """Whether an INT8 node gives `value`, behind whatever only moves values."""
        source = before_fusion(value, self.scheme)
        if source is None:
            return False
        if self._moves(source):
            return any(self._is_int8(before) for _, before in moved(source))
        return source in self.kept

    def _is_wanted(self, value: ir.Value, but: ir.Node | None) -> bool:
        """Whether an INT8 node other than `but` reads `value`, behind whatever only moves values."""
        for use in value.uses():
            if use.node in self.kept and use.node is not but:
                if use.idx == 0 or role(use.node, self.scheme) == "joining":
                    return True
            elif self._moves(use.node) and any(self._is_wanted(out, but) for out in use.node.outputs):
                return True
        return False

    def _moves(self, node: ir.Node) -> bool:
        return role(node, self.scheme) == "commuting" and str(node.name) not in self.held


def _size(value: ir.Value) -> int:
    shape = value.shape
    return math.prod(shape.numpy()) if shape is not None and shape.is_static() else 1
