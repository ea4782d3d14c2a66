"""A network cut in two: a front of fixed shapes, which can be quantized and timed, and a tail that takes what it gives.

Non-maximum suppression and its like give results of varying number; what stands before them is most of the work.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass, RemoveInitializersFromInputsPass

from edgecnn.core.errors import InputError, StageError
from edgecnn.core.registry import nearest
from edgecnn.export.equivalence import answers, difference, random_feeds
from edgecnn.export.passes.base import run
from edgecnn.export.passes.editing import WEIGHTED, fixed_shape, opened
from edgecnn.export.passes.evaluate_constants import EvaluateConstants
from edgecnn.export.passes.infer_shapes import infer_shapes
from edgecnn.export.passes.inline_if import InlineIf
from edgecnn.export.static_shapes import fix_shapes

ROUNDS = 8
EQUAL = 1e-6


@dataclass(frozen=True, slots=True)
class Cut:
    """Two models that follow one another.

    Attributes:
        front: from the inputs to `tensors`, and to the outputs that need nothing of the tail; all of fixed shape.
        tail: from `tensors`, and the inputs that it reads itself, to the original's other outputs.
        tensors: what the front gives to the tail.
        layers: how many layers with weights stand in the front, and in the tail.
    """

    front: onnx.ModelProto
    tail: onnx.ModelProto
    tensors: tuple[str, ...]
    layers: tuple[int, int]


def cut_before_varying(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> Cut | None:
    """Cut `model` behind the last tensors whose shape is fixed; None where all are, so that there is nothing to cut.

    `shapes` gives open sizes of inputs by name.

    Raises:
        InputError: results vary in size from before the first layer with weights on.
    """
    work = _settled(model, shapes)
    behind = _varying(work)
    if not behind:
        return None
    before = [node for node in work.graph if node not in behind]
    made = {value for node in before for value in node.outputs}
    ends = [value for value in work.graph.outputs if value in made]
    read = dict.fromkeys(value for node in work.graph if node in behind for value in _reads(node))
    tensors = [value for value in read if value in made]
    if not tensors or not any(node.op_type in WEIGHTED for node in before):
        raise InputError("its results vary in size from before its first layer on; export it with fixed shapes")
    return _cut(work, list(dict.fromkeys([*ends, *tensors])), tensors)


def cut_at(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]], names: Sequence[str]) -> Cut:
    """Cut `model` behind the tensors `names`, which are the front's outputs; `shapes` as for `cut_before_varying`.

    Raises:
        InputError: no such tensor, or one whose shape is not fixed.
    """
    work = _settled(model, shapes)
    values = {str(value.name): value for node in work.graph for value in node.outputs}
    for name in names:
        if name not in values:
            raise InputError(f"--outputs {name}: the network computes no tensor of that name{nearest(name, values)}")
        if fixed_shape(values[name]) is None:
            raise InputError(f"--outputs {name}: its shape is not fixed; choose tensors before it")
    tensors = [values[name] for name in dict.fromkeys(names)]
    return _cut(work, tensors, tensors)


def _settled(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> ir.Model:
    """Return a copy in which all shapes are known that follow from the inputs', with every value under its name."""
    work = opened(model)
    RemoveInitializersFromInputsPass()(work)
    if work.functions:
        InlinePass()(work)
    fix_shapes(work, shapes)
    for _ in range(ROUNDS):
        infer_shapes(work)
        changed = [run(step, work).modified for step in (EvaluateConstants(), InlineIf())]
        if not any(changed):
            break
    return work


def _varying(work: ir.Model) -> set[ir.Node]:
    """Return the nodes that give what has no fixed shape, and all behind them."""
    found: set[ir.Node] = set()
    for node in work.graph:
        given = [value for value in node.outputs if value.name]
        if any(fixed_shape(value) is None for value in given) or any(v.producer() in found for v in _reads(node)):
            found.add(node)
    return found


def _reads(node: ir.Node) -> Iterator[ir.Value]:
    """Yield the values that a node reads, those among them that the graphs inside it take from outside."""
    yield from (value for value in node.inputs if value is not None)
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            inner = attribute.as_graph()
            yield from (value for one in inner for value in _reads(one))
            yield from inner.outputs


def _cut(work: ir.Model, ends: Sequence[ir.Value], tensors: Sequence[ir.Value]) -> Cut:
    infos = {str(value.name): _info(value) for value in [*ends, *tensors]}
    whole = ir.to_proto(work)
    front = _part(whole, {}, [infos[str(value.name)] for value in ends])
    names = tuple(str(value.name) for value in tensors)
    left = [value for value in whole.graph.output if value.name not in infos]
    if not left:
        raise InputError(f"every output of the network is among {', '.join(infos)}, so there is nothing to cut off")
    tail = _part(whole, {name: infos[name] for name in names}, left)
    layers = [sum(node.op_type in WEIGHTED for node in part.graph.node) for part in (front, tail)]
    # A part may read less than it was offered: an end that no output needs.
    taken = {value.name for value in tail.graph.input}
    cut = Cut(front, tail, tuple(name for name in names if name in taken), (layers[0], layers[1]))
    _prove(whole, cut)
    return cut


def _info(value: ir.Value) -> onnx.ValueInfoProto:
    shape = fixed_shape(value)
    if shape is None or value.dtype is None:
        raise InputError(f"nobody knows type and shape of '{value.name}', so the network can't be cut there")
    return onnx.helper.make_tensor_value_info(str(value.name), int(value.dtype), shape)


def _part(
    whole: onnx.ModelProto, given: Mapping[str, onnx.ValueInfoProto], ends: Iterable[onnx.ValueInfoProto]
) -> onnx.ModelProto:
    """Return what `ends` need, with the values `given` and the whole's inputs as inputs, as far as they are read."""
    part = onnx.ModelProto(ir_version=whole.ir_version, opset_import=whole.opset_import)
    part.graph.name = whole.graph.name
    part.graph.output.extend(ends)
    wanted = {value.name for value in part.graph.output}
    kept = []
    for node in reversed(whole.graph.node):
        if wanted.intersection(node.output) - given.keys():
            kept.append(node)
            wanted.update(_names(node))
    part.graph.node.extend(reversed(kept))
    made = {name for node in kept for name in node.output}
    part.graph.input.extend(value for value in whole.graph.input if value.name in wanted)
    part.graph.input.extend(value for name, value in given.items() if name in wanted and name not in made)
    part.graph.initializer.extend(tensor for tensor in whole.graph.initializer if tensor.name in wanted)
    return part


def _names(node: onnx.NodeProto) -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from (name for inner in attribute.g.node for name in _names(inner))
            yield from (value.name for value in attribute.g.output)


def _prove(whole: onnx.ModelProto, cut: Cut) -> None:
    """See that front and tail in a row give what the whole gives."""
    for feeds in random_feeds(whole):
        found = dict(feeds)
        for part in (cut.front, cut.tail):
            taken = {value.name: found[value.name] for value in part.graph.input}
            (given,) = answers(part, [taken], optimize=False)
            found |= dict(zip((value.name for value in part.graph.output), given, strict=True))
        wanted = answers(whole, [feeds], optimize=False)
        if difference(wanted, [[found[value.name] for value in whole.graph.output]]) > EQUAL:
            raise StageError(f"cut at {', '.join(cut.tensors)}, the network would compute something else")
