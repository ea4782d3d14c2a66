"""A float network and its quantized form in one graph, with each layer once more on its own.

Three values stand for a layer's result `v`: `v` in the float network, `quantized:v` in the quantized one, and
`alone:v`, which the quantized layer gives where all layers before it are float: only what it reads itself is rounded.
Values are paired by name. What lies between two paired layers (Q, DQ, casts, nodes that only move values) belongs to
the layer that reads it: a tensor that is quantized, moved, and quantized again at the same scale was rounded once.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import onnx
from onnx import helper

from edgecnn.core.errors import InputError

QUANTIZED, ALONE = "quantized:", "alone:"
STAND_IN, EXACT = ".dequantized", ".exact"
"""What placement appends to a value's name: for its dequantized form, and for what a rounded output was before."""
Q, DQ = "QuantizeLinear", "DequantizeLinear"
FLOATS = frozenset({onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE})
MOVING = frozenset(
    {
        "Cast",
        "Concat",
        "DepthToSpace",
        "Flatten",
        "Gather",
        "Identity",
        "MaxPool",
        "Reshape",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
"""Ops whose results are all among the values they take."""


@dataclass(frozen=True, slots=True)
class Splice:
    """The joined graph.

    Attributes:
        model: all three forms; its outputs are those of the float network.
        paired: for each float value that the quantized network computes too, its name in the joined graph.
        floats: names of the float network's results that are float.
        layers: the quantized network's nodes with an error of their own, by their first result's float name.
        alone: for each of those results, the layer's own, in the joined graph.
        rounded: values of the quantized network that are read rounded, each with the names of the rounded activations
            in it; a weight has none.
        shapes: of the float network's values, as far as they are known; 0 for an unknown length.
    """

    model: onnx.ModelProto
    paired: dict[str, str]
    floats: frozenset[str]
    layers: dict[str, onnx.NodeProto]
    alone: dict[str, str]
    rounded: dict[str, tuple[str, ...]]
    shapes: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Type:
    """Element type and shape; an axis of unknown length is 0."""

    kind: int
    shape: tuple[int, ...]

    def fits(self, other: "_Type") -> bool:
        """Whether the values can be compared: of one shape, as far as both are known."""
        if len(self.shape) != len(other.shape):
            return False
        return all(0 in pair or pair[0] == pair[1] for pair in zip(self.shape, other.shape, strict=True))


_Rename: TypeAlias = Callable[[str], str]


def splice(float_model: onnx.ModelProto, quantized: onnx.ModelProto) -> Splice:
    """Join the float network and the quantized one.

    Raises:
        InputError: the two are of different opsets, so that they can't stand in one graph.
    """
    if opset(float_model) != opset(quantized):
        raise InputError(
            f"the float model has opset {opset(float_model)} and the quantized one {opset(quantized)}; "
            "give the float model that was quantized"
        )
    pair = _Pair(float_model, quantized)
    joined = onnx.ModelProto()
    joined.CopyFrom(float_model)
    joined.graph.initializer.extend(_renamed(one) for one in quantized.graph.initializer)
    joined.graph.node.extend(pair.casts)
    for node in quantized.graph.node:
        joined.graph.node.append(_copy(node, pair.whole, QUANTIZED))
        if not pair.fixed.issuperset(node.output):
            joined.graph.node.append(_copy(node, pair.alone, ALONE))
    present = {entry.domain for entry in joined.opset_import}
    joined.opset_import.extend(entry for entry in quantized.opset_import if entry.domain not in present)
    joined.ir_version = max(joined.ir_version, quantized.ir_version)
    shapes = {name: kind.shape for name, kind in pair.real.items()}
    floats = {name for name in pair.made if name not in pair.real or pair.real[name].kind in FLOATS}
    layers = {name: node for name, node, _ in pair.layers()}
    alone = {name: value for name, _, value in pair.layers()}
    return Splice(joined, dict(pair.paired()), frozenset(floats), layers, alone, pair.rounded(), shapes)


def opset(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators that the model is written in."""
    return next((int(entry.version) for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), 0)


def float_name(name: str) -> str:
    """Return the name in the float network of a value that placement put a name on."""
    return name.removesuffix(EXACT).rpartition(STAND_IN)[0] or name.removesuffix(EXACT)


class _Pair:
    """Which values of the two networks belong together, and what stands for them in the joined graph."""

    def __init__(self, float_model: onnx.ModelProto, quantized: onnx.ModelProto) -> None:
        self.real, self.coded = _types(float_model), _types(quantized)
        self.nodes = list(quantized.graph.node)
        self.made = dict.fromkeys(name for node in float_model.graph.node for name in node.output if name)
        self.fixed = _fixed(quantized)
        self.inputs = {value.name for value in quantized.graph.input} - self.fixed
        self.outputs = {value.name for value in quantized.graph.output}
        self.states = dict(self._states())
        changed = sorted(name for name in self.states if name in self.coded and self._recast(name))
        self.casts = [
            helper.make_node("Cast", [self.states[name]], [f"{ALONE}{name}:cast"], to=self.coded[name].kind)
            for name in changed
        ]
        self._reads = self.states | {name: f"{ALONE}{name}:cast" for name in changed}

    def whole(self, name: str) -> str:
        """Return what a value of the quantized network is called in the joined graph."""
        return name if name in self.inputs or not name else QUANTIZED + name

    def alone(self, name: str) -> str:
        """Return what a layer on its own reads instead of `name`: the float network's value where there is one."""
        if name in self.states:
            return self._reads[name]
        return self.whole(name) if name in self.fixed or name in self.inputs or not name else ALONE + name

    def paired(self) -> Iterator[tuple[str, str]]:
        """Yield float values with their names in the quantized part."""
        there = {name for node in self.nodes for name in node.output}
        for name in self.made:
            for stand_in in (name, name + STAND_IN):
                if stand_in in there and self._alike(name, stand_in):
                    yield name, QUANTIZED + stand_in
                    break

    def layers(self) -> Iterator[tuple[str, onnx.NodeProto, str]]:
        """Yield float name, node, and joined name of each result whose error counts.

        An output has one even if its node only moves values; where it is rounded or cast at the end of the graph, it
        is the result of the layer before that.
        """
        source = {name: node for node in self.nodes for name in node.output}
        for node in self.nodes:
            name = node.output[0]
            if name in self.states:
                yield self.states[name], node, ALONE + name
            elif name in self.outputs and self._fits(name):
                layer: onnx.NodeProto | None = node
                while layer is not None and layer.op_type in {Q, DQ, "Cast"}:
                    layer = source.get(layer.input[0])
                if layer is not None and layer.output[0] not in self.states:
                    yield name, layer, ALONE + name

    def rounded(self) -> dict[str, tuple[str, ...]]:
        """Return the values that are read rounded, each with the rounded tensors in it; weights have none."""
        found: dict[str, tuple[str, ...]] = {}
        source = {node.output[0]: node.input[0] for node in self.nodes if node.op_type == Q}
        for node in self.nodes:
            tensors: tuple[str, ...] | None = None
            if node.op_type == DQ:
                stored = node.input[0]
                tensor = float_name(source.get(stored, node.output[0]))
                tensors = () if node.output[0] in self.fixed else (tensor,)
            elif node.op_type != Q and node.output[0] not in self.states and set(node.input) & set(found):
                tensors = tuple(dict.fromkeys(tensor for name in node.input for tensor in found.get(name, ())))
            if tensors is not None:
                found.update(dict.fromkeys(node.output, tensors))
        return found

    def _states(self) -> Iterator[tuple[str, str]]:
        """Yield the layers' results with their float names.

        An output that is rounded at the end of the graph, and that nothing else reads, is the layer's result only
        after it was rounded.
        """
        reads = Counter(name for node in self.nodes for name in node.input)
        stored = {node.input[0]: node.output[0] for node in self.nodes if node.op_type == Q}
        for node in self.nodes:
            if node.op_type in MOVING | {Q, DQ}:
                continue
            names = [name for name in node.output if name]
            inside = [name.removesuffix(EXACT) if reads[stored.get(name, "")] > 1 else name for name in names]
            if all(map(self._fits, inside)):
                yield from zip(names, inside, strict=True)

    def _fits(self, name: str) -> bool:
        return name in self.made and name not in self.fixed and self._alike(name, name)

    def _alike(self, name: str, stand_in: str) -> bool:
        real, coded = self.real.get(name), self.coded.get(stand_in)
        return real is None or coded is None or real.fits(coded)

    def _recast(self, name: str) -> bool:
        real = self.real.get(self.states[name])
        return real is not None and real.kind != self.coded[name].kind


def _types(model: onnx.ModelProto) -> dict[str, _Type]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: _Type(
            value.type.tensor_type.elem_type, tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        )
        for value in [*graph.value_info, *graph.input, *graph.output]
        if value.type.tensor_type.HasField("shape")
    }


def _fixed(model: onnx.ModelProto) -> set[str]:
    """Return the names of initializers and of what is computed from them alone."""
    fixed = {one.name for one in model.graph.initializer}
    for node in model.graph.node:
        subgraph = any(attribute.HasField("g") for attribute in node.attribute)
        if not subgraph and all(name in fixed for name in node.input if name):
            fixed.update(node.output)
    return fixed


def _renamed(one: onnx.TensorProto) -> onnx.TensorProto:
    copy = onnx.TensorProto()
    copy.CopyFrom(one)
    copy.name = QUANTIZED + one.name
    return copy


def _copy(node: onnx.NodeProto, read: _Rename, prefix: str) -> onnx.NodeProto:
    """Return the node with other inputs, its results and its name under `prefix`."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    # Names of nodes must differ unless they are empty.
    copy.name = prefix + node.name if node.name else ""
    copy.input[:] = [read(name) for name in node.input]
    copy.output[:] = [prefix + name if name else "" for name in node.output]
    for attribute in copy.attribute:
        if attribute.HasField("g"):
            _recapture(attribute.g, read)
    return copy


def _recapture(graph: onnx.GraphProto, read: _Rename) -> None:
    """Rename what a subgraph takes from outside."""
    inside = {value.name for value in graph.input} | {one.name for one in graph.initializer}
    inside |= {name for node in graph.node for name in node.output}

    def read_inside(name: str) -> str:
        return name if name in inside else read(name)

    for node in graph.node:
        node.input[:] = [read_inside(name) for name in node.input]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _recapture(attribute.g, read_inside)
