"""Concatenations whose branches differ too much in range to share a scale, found once ranges are known."""

from collections.abc import Iterable, Mapping

import onnx_ir as ir

from edgecnn.compress.quantize.plan import Plan
from edgecnn.compress.quantize.roles import moved, role
from edgecnn.compress.quantize.scheme import Scheme

RATIO = 4.0
"""How many times wider than a branch a shared range may be: at 4 the branch has lost two of its eight bits."""


def uneven(
    model: ir.Model, scheme: Scheme, plan: Plan, spans: Mapping[str, tuple[float, float]], ratio: float = RATIO
) -> list[str]:
    """Return the names of the Concat nodes that cost a branch more than `ratio` in range for its other readers.

    `spans` holds (low, high) of each of the plan's tensors. What the Concat itself gives is no worse for a shared
    scale: it needs one scale anyhow. A branch that an INT8 node reads beside it would keep its own scale without. Give
    the names to `make_plan` as `keep_float`: then each branch keeps its scale, and the result is rounded.
    """
    widest: dict[int, float] = {}
    for name, number in plan.tensors.items():
        widest[number] = max(widest.get(number, 0.0), _width(spans, name))
    found: list[str] = []
    nodes = {str(node.name): node for node in model.graph}
    chosen = set(plan.nodes)
    for node in nodes.values():
        if node.op_type != "Concat" or role(node, scheme) != "commuting":
            continue
        for tensor in _branches(node, scheme, plan):
            beside = any(reader in chosen for reader, _ in plan.readers.get(tensor, ()))
            if beside and _width(spans, tensor) * ratio < widest[plan.tensors[tensor]]:
                found.append(str(node.name))
                break
    return found


def _width(spans: Mapping[str, tuple[float, float]], name: str) -> float:
    low, high = spans.get(name, (0.0, 0.0))
    return max(high, 0.0) - min(low, 0.0)


def _branches(node: ir.Node, scheme: Scheme, plan: Plan) -> Iterable[str]:
    """Yield the plan's tensors that `node` joins, also those behind nodes that only move values."""
    for _, value in moved(node):
        source = value.producer()
        if str(value.name) in plan.tensors:
            yield str(value.name)
        if source is not None and role(source, scheme) == "commuting":
            yield from _branches(source, scheme, plan)
