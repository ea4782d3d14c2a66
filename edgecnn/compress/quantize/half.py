"""float16 for all that is float32 in a graph, Q/DQ scales included, with the graph's inputs and outputs left alone.

Engines with strong typing run every tensor in the type that the file says: what a file leaves in float32 runs in
float32. Where a node can't be float16 (its operator has no such form, it holds a subgraph, or a constant of it is
beyond float16's range) it stays in float32 between Casts, and where that constant is one number, such as the epsilon
that keeps a division from zero, so does what reads the result. A Cast from float16 to float32 that is there already
says that what follows is to be float32, up to the next Cast.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
import onnx
import onnx_ir as ir

from edgecnn.compress.quantize.graph import constant, is_constant
from edgecnn.compress.quantize.pairs import initializer, result

LEAST = np.float32(2.0**-20)
"""Least scale: float16 holds it as 16 of its smallest steps, so that rounding it costs 3 % of a level at most.

The smallest normal number, 2**-14, would be too coarse: weights that take pixels of 0 to 255 have scales below it.
"""
MOST = float(np.finfo(np.float16).max)
BOUND = 1e30
"""From here on a number stands for infinity, as the upper end of a Clip does."""
HALF, FULL = ir.DataType.FLOAT16, ir.DataType.FLOAT
QUANTIZERS = frozenset({"QuantizeLinear", "DequantizeLinear"})


def to_half(model: onnx.ModelProto, float32_nodes: Iterable[str] = ()) -> onnx.ModelProto:
    """Return `model` in float16, with float32 inputs and outputs as before; `model` stays as it was.

    `float32_nodes` names nodes that stay in float32, such as those whose results were seen beyond 65504. Types that
    shape inference can't tell are left alone. Q and DQ take float16 since opset 19.
    """
    work = ir.from_proto(onnx.shape_inference.infer_shapes(model))
    halve(work, float32_nodes)
    return ir.to_proto(work)


def halve(model: ir.Model, float32_nodes: Iterable[str] = ()) -> None:
    """Do the same to `model` in place; its values must carry types."""
    halver = _Halver(model, set(float32_nodes))
    for node in list(model.graph):
        halver.convert(node)
    halver.finish()


def is_wide(scale: np.floating) -> bool:
    """Whether integers of 8 bits at this scale reach beyond float16."""
    return bool(scale * 255 > MOST)


class _Halver:
    def __init__(self, model: ir.Model, kept: set[str]) -> None:
        self.graph, self.opset = model.graph, model.opset_imports.get("", 1)
        self.kept = {node for node in model.graph if node.name in kept}
        self.kept.update(_around_wide_scales(model.graph), _around_lone_numbers(model.graph))
        self.halved: set[ir.Value] = set()
        self.pinned: set[ir.Value] = set()
        self.casts: dict[tuple[ir.Value, ir.DataType], ir.Value] = {}

    def convert(self, node: ir.Node) -> None:
        """Let `node` compute in float16 if it can, and in float32 if not; its inputs were converted before."""
        if self._is_pinned(node):
            self.pinned.update(node.outputs)
            self.kept.add(node)
        able = self._takes_half(node) if node not in self.kept else {}
        for index in able:
            self._read(node, index, HALF)
        for reader, skipped in ((node, able), *((inner, {}) for inner in _inside(node))):
            for index, value in enumerate(reader.inputs):
                if index not in skipped and value in self.halved:
                    self._read(reader, index, FULL)
        for index, value in enumerate(node.outputs):
            if value.dtype == FULL and self._gives_half(node, index, able):
                # A type of its own: clones of a graph share them.
                value.type = ir.TensorType(HALF)
                self.halved.add(value)

    def _read(self, node: ir.Node, index: int, dtype: ir.DataType) -> None:
        value = node.inputs[index]
        if value is not None and value.dtype != dtype:
            node.replace_input_with(index, self._as(value, dtype, saturate=node.op_type == "Clip"))

    def _is_pinned(self, node: ir.Node) -> bool:
        """Whether the graph itself says that `node` is to give float32."""
        if node.op_type == "Cast":
            source = node.inputs[0]
            widens = source is not None and source.dtype == HALF and source not in self.halved
            return node.outputs[0].dtype == FULL and (widens or node.outputs[0].is_graph_output())
        return any(value in self.pinned for value in node.inputs)

    def finish(self) -> None:
        """Give the graph's outputs their type back, and drop what only float32 nodes would have read."""
        for index, value in enumerate(self.graph.outputs):
            if value in self.halved:
                name = str(value.name)
                self.graph.outputs[index] = self._as(value, FULL)
                value.name, self.graph.outputs[index].name = f"{name}.float16", name
        for name, value in list(self.graph.initializers.items()):
            if not value.uses() and not value.is_graph_output() and (value, HALF) in self.casts:
                del self.graph.initializers[name]

    def _as(self, value: ir.Value, dtype: ir.DataType, *, saturate: bool = False) -> ir.Value:
        """Return `value` in another type: a constant of it, or what a Cast gives."""
        if (value, dtype) not in self.casts:
            array = constant(value)
            suffix = "float16" if dtype == HALF else "float32"
            if array is not None:
                small = (np.clip(array, -MOST, MOST) if saturate else array).astype(np.float16)
                made = initializer(self.graph, f"{value.name}.{suffix}", small)
            else:
                cast = ir.node("Cast", [value], {"to": dtype}, name=f"{value.name}.to_{suffix}")
                made = result(cast, f"{value.name}.{suffix}", dtype, value)
                source = value.producer()
                if source is None:
                    self.graph.insert_before(self.graph[0], cast)
                else:
                    self.graph.insert_after(source, cast)
            self.casts[value, dtype] = made
        return self.casts[value, dtype]

    def _takes_half(self, node: ir.Node) -> dict[int, str]:
        """Return the float32 inputs that can be float16, by index, with the schema's name of their type."""
        schema = _schema(node.op_type, node.domain, self.opset)
        if schema is None or node.op_type == "Cast" or any(True for _ in _inside(node)):
            return {}
        able: dict[int, str] = {}
        for index, value in enumerate(node.inputs):
            if value is None or (value.dtype != FULL and value not in self.halved):
                continue
            formal = schema.inputs[min(index, len(schema.inputs) - 1)]
            if "tensor(float16)" in formal.types:
                if node.op_type != "Clip" and _overflows(value):
                    return {}
                able[index] = formal.type_str
            elif formal.type_str in {f.type_str for f in schema.outputs}:
                return {}
        return able

    def _gives_half(self, node: ir.Node, index: int, able: dict[int, str]) -> bool:
        schema = _schema(node.op_type, node.domain, self.opset)
        if schema is None or node in self.kept:
            return False
        if node.op_type == "Cast":
            node.attributes["to"] = ir.AttrInt64("to", HALF)
            return True
        if node.op_type == "DequantizeLinear":
            # Since opset 23 the schema names the result's type apart; unless told, it is still the scale's.
            node.attributes.pop("output_dtype", None)
            return 1 in able
        formal = schema.outputs[min(index, len(schema.outputs) - 1)]
        return formal.type_str in able.values() and "tensor(float16)" in formal.types


@lru_cache(maxsize=512)
def _schema(kind: str, domain: str, opset: int) -> onnx.defs.OpSchema | None:
    if domain not in {"", "ai.onnx"}:
        return None
    try:
        return onnx.defs.get_schema(kind, opset, "")
    except onnx.defs.SchemaError:
        return None


def _around_wide_scales(graph: ir.Graph) -> Iterator[ir.Node]:
    """Yield Q and DQ whose scale float16 can't hold, and what they share a float tensor with."""
    for node in graph:
        scale = constant(node.inputs[1]) if node.op_type in QUANTIZERS and len(node.inputs) > 1 else None
        if scale is None or not scale.size or not (is_wide(scale.max()) or scale.min() < LEAST):
            continue
        yield node
        if node.op_type == "QuantizeLinear" and node.inputs[0] is not None:
            source = node.inputs[0].producer()
            yield from [source] if source is not None else []
        if node.op_type == "DequantizeLinear":
            yield from (use.node for use in node.outputs[0].uses() if use.node.graph is graph)


def _around_lone_numbers(graph: ir.Graph) -> Iterator[ir.Node]:
    """Yield nodes with one number that float16 can't hold beside a tensor, and what reads their results."""
    for node in graph:
        lone = [value for value in node.inputs if value is not None and is_constant(value) and value.dtype == FULL]
        if node.op_type in QUANTIZERS | {"Resize", "Upsample"} or not any(map(_is_lost, lone)):
            continue
        yield node
        yield from (use.node for out in node.outputs for use in out.uses() if use.node.graph is graph)


def _is_lost(value: ir.Value) -> bool:
    """Whether `value` is one number that would become zero, infinite or coarse; bounds beyond the range are no loss."""
    array = constant(value)
    if array is None or array.size != 1 or not np.isfinite(array).all():
        return False
    size = abs(float(array.reshape(())))
    return bool(0 < size < LEAST or MOST < size < BOUND)


def _overflows(value: ir.Value) -> bool:
    array = constant(value) if is_constant(value) else None
    return array is not None and bool((np.abs(array[np.isfinite(array)]) > MOST).any())


def _inside(node: ir.Node) -> Iterator[ir.Node]:
    """Yield every node of the subgraphs that `node` holds."""
    for attribute in node.attributes.values():
        graphs = [attribute.as_graph()] if attribute.type == ir.AttributeType.GRAPH else []
        for graph in graphs:
            for inner in graph:
                yield inner
                yield from _inside(inner)
