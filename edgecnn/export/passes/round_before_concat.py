"""What is rounded behind a concatenation is rounded in front of it, branch by branch: the same numbers.

XNNPACK concatenates integers of one scale only. A concatenation moves numbers and changes none, so that Q behind it and
Q in front of each branch give the same; a branch whose scale is another's is brought to it there.
"""

import onnx_ir as ir

from edgecnn.core.errors import StageError
from edgecnn.export.passes.editing import constant

Q, DQ = "QuantizeLinear", "DequantizeLinear"


class RoundBeforeConcat:
    """Put Q and DQ in front of every branch of a Concat that only one Q reads, or several of the same scale."""

    name = "round_before_concat"

    def requires(self, model: ir.Model) -> None:
        """Any model will do."""

    def call(self, model: ir.Model) -> bool:
        """Go through the concatenations in the graph's order."""
        modified = False
        for node in [node for node in model.graph if node.op_type == "Concat"]:
            for place, rounding in _astray(node):
                node.replace_input_with(place, _rounded(model, node, place, rounding))
                modified = True
        return modified

    def ensures(self, model: ir.Model) -> None:
        """Every branch of a Concat that is rounded behind has the scale it is rounded to."""
        for node in model.graph:
            if node.op_type == "Concat" and _astray(node):
                raise StageError(f"pass '{self.name}' left a branch of '{node.name}' at another scale")


def _astray(concat: ir.Node) -> list[tuple[int, ir.Node]]:
    """Return the places of branches at another scale than that of the Q behind, each with that Q."""
    rounding = _rounding_of(concat)
    if rounding is None:
        return []
    wanted = _scale(rounding, Q)
    branches = enumerate(concat.inputs)
    return [(i, rounding) for i, one in branches if one is not None and _scale(one.producer(), DQ) != wanted]


def _rounding_of(concat: ir.Node) -> ir.Node | None:
    """Return the Q that reads the result; None if something else reads it too, or Qs of several scales do."""
    joined = concat.outputs[0]
    readers = list(joined.consumers())
    scales = [_scale(reader, Q) for reader in readers]
    alike = bool(readers) and all(scale is not None and scale == scales[0] for scale in scales)
    return readers[0] if alike and not joined.is_graph_output() else None


def _scale(node: ir.Node | None, kind: str) -> tuple[object, ...] | None:
    """Return scale, zero point and type of a Q or DQ that has one for the whole tensor; None of anything else."""
    if node is None or node.op_type != kind:
        return None
    found: list[object] = []
    for value in node.inputs[1:]:
        array = constant(value)
        if array is None or array.size != 1:
            return None
        found += [array.item(), str(array.dtype)]
    return tuple(found)


def _rounded(model: ir.Model, concat: ir.Node, place: int, rounding: ir.Node) -> ir.Value:
    """Return the branch after Q and DQ of `rounding`'s scale."""
    branch, name = concat.inputs[place], f"{concat.outputs[0].name}.{place}.rounded"
    quantize = ir.node(Q, [branch, *rounding.inputs[1:]], name=name)
    back = ir.node(DQ, [quantize.outputs[0], *rounding.inputs[1:]], name=f"{name}.back")
    for made, kept in ((quantize, rounding.outputs[0]), (back, branch)):
        made.outputs[0].name = made.name
        made.outputs[0].type = kept.type if kept is not None else None
        made.outputs[0].shape = branch.shape if branch is not None else None
    model.graph.insert_before(concat, [quantize, back])
    return back.outputs[0]
