"""Concatenations whose branches differ too much in range to share a scale, found once ranges are known."""

from collections.abc import Mapping

import onnx_ir as ir

from edgecnn.compress.quantize.plan import Plan
from edgecnn.compress.quantize.roles import moved, role
from edgecnn.compress.quantize.scheme import Scheme

RATIO = 2.0
"""How many times wider than a branch the range of the whole may be: at 2 the branch has lost one of its eight bits."""


def uneven(
    model: ir.Model, scheme: Scheme, plan: Plan, spans: Mapping[str, tuple[float, float]], ratio: float = RATIO
) -> list[str]:
    """Return the names of the Concat nodes that cost a branch more than `ratio` in range for its other readers.

    `spans` holds (low, high) of each of the plan's tensors. What reads the joined tensor is no worse for a shared
    scale: that needs one scale anyhow. What reads a branch beside it would have a finer one. Give the names to
    `make_plan` as `keep_float`: then each branch keeps its scale, and the joined tensor is rounded once more.
    """
    chosen, kept = set(plan.nodes), set(plan.left_in_float)
    found: list[str] = []
    for node in model.graph:
        if node.op_type != "Concat" or role(node, scheme) != "commuting" or str(node.name) in kept:
            continue
        branches = {value: _behind(value, scheme, kept) for _, value in moved(node)}
        widths = {
            value: max((_width(spans, str(one.name)) for one in behind), default=0.0)
            for value, behind in branches.items()
        }
        widest = max(widths.values(), default=0.0)
        thin = [value for value, width in widths.items() if width * ratio < widest]
        if any(_read_beside(branches[value], node, scheme, chosen) for value in thin):
            found.append(str(node.name))
    return found


def _width(spans: Mapping[str, tuple[float, float]], name: str) -> float:
    low, high = spans.get(name, (0.0, 0.0))
    return max(high, 0.0) - min(low, 0.0)


def _behind(value: ir.Value, scheme: Scheme, kept: set[str]) -> dict[ir.Value, None]:
    """Return `value` and all that it is made of by moving alone."""
    found, pending = {value: None}, [value]
    while pending:
        source = pending.pop().producer()
        if source is None or role(source, scheme) != "commuting" or str(source.name) in kept:
            continue
        new = [before for _, before in moved(source) if before not in found]
        found.update(dict.fromkeys(new))
        pending.extend(new)
    return found


def _read_beside(values: dict[ir.Value, None], concat: ir.Node, scheme: Scheme, chosen: set[str]) -> bool:
    """Whether an INT8 node reads one of `values`, moved or not, other than through `concat`."""
    seen, pending = set(values), list(values)
    while pending:
        for use in pending.pop().uses():
            if str(use.node.name) in chosen:
                return True
            if use.node is concat or role(use.node, scheme) != "commuting":
                continue
            new = [out for out in use.node.outputs if out not in seen]
            seen.update(new)
            pending.extend(new)
    return False
