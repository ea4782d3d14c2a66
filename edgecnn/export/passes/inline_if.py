"""A choice that is settled: the branch of an If whose condition is constant is part of the graph itself.

Exporters write such an If where a size is not known, for a squeeze for instance; fixed shapes settle it.
"""

import onnx_ir as ir

from edgecnn.core.errors import StageError
from edgecnn.export.passes.editing import constant, nodes


class InlineIf:
    """Put the nodes of the branch taken in the place of each If whose condition is constant."""

    name = "inline_if"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; constants should be folded first."""

    def call(self, model: ir.Model) -> bool:
        """Inline them one by one; an If inside a branch is the graph's own by then and comes next time."""
        modified = False
        for node in nodes(model, "If"):
            condition = constant(node.inputs[0])
            if condition is not None and condition.size == 1:
                taken, other = ("then_branch", "else_branch")[:: 1 if condition.any() else -1]
                _drop(node.attributes[other].as_graph())
                _inline(model.graph, node, node.attributes[taken].as_graph())
                modified = True
        return modified

    def ensures(self, model: ir.Model) -> None:
        """None is left but those that came out of a branch just now, whose outputs have names."""
        for node in nodes(model, "If"):
            if not node.outputs:
                raise StageError(f"pass '{self.name}' left the broken node '{node.name}'")


def _drop(body: ir.Graph) -> None:
    """Take a branch apart, so that it no longer counts among the readers of what it captured."""
    body.outputs.clear()
    for node in reversed(list(body)):
        for entry in node.attributes.values():
            if entry.type == ir.AttributeType.GRAPH:
                _drop(entry.as_graph())
        body.remove(node, safe=True)


def _inline(graph: ir.Graph, node: ir.Node, body: ir.Graph) -> None:
    results = list(body.outputs)
    body.outputs.clear()
    for value in list(body.initializers.values()):
        body.initializers.pop(str(value.name))
        value.name = f"{node.outputs[0].name}.{value.name}"
        graph.register_initializer(value)
    inner = list(body)
    body.remove(inner)
    for step in inner:
        step.name = f"{node.name}.{step.name}"
        for value in step.outputs:
            value.name = f"{node.outputs[0].name}.{value.name}" if value.name else value.name
    node.prepend(inner)
    copies = [ir.node("Identity", [value], name=f"{node.name}.{index}") for index, value in enumerate(results)]
    for copy, output in zip(copies, node.outputs, strict=True):
        copy.outputs[0].type, copy.outputs[0].shape = output.type, output.shape
    ir.convenience.replace_nodes_and_values(
        graph, node, [node], copies, node.outputs, [copy.outputs[0] for copy in copies]
    )
