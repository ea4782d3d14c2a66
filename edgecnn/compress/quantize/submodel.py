"""The part of a model that some of its values need."""

from collections.abc import Collection, Iterator

import onnx


def restrict(model: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """Return the nodes and initializers of `model` that the values `names` are made of, with those as its outputs.

    Inputs stay, read or not, so that the same frames can be fed.
    """
    wanted = set(names)
    kept = []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(_reads(node))
    part = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    part.graph.name = model.graph.name
    part.graph.node.extend(reversed(kept))
    part.graph.input.extend(model.graph.input)
    inputs = {value.name for value in model.graph.input}
    part.graph.initializer.extend(one for one in model.graph.initializer if one.name in wanted | inputs)
    part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
    return part


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield what the node reads; what its subgraphs name may come from outside."""
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):
            for inner in attribute.g.node:
                yield from _reads(inner)
            yield from (value.name for value in attribute.g.output)
