"""Run a model piece by piece over a few frames, so that a layer can be changed before what follows it runs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from edgecnn.compress.quantize.simulate import Feeds, open_session

Array = NDArray[Any]


class Walk:
    """Holds, for every frame, the values that nodes still to come will read, and no others."""

    def __init__(self, model: onnx.ModelProto, frames: Sequence[Feeds], threads: int = 2) -> None:
        """Stand before the first node. `model` may be changed by others between calls of `reach`."""
        self._model, self._threads = model, threads
        self._nodes = list(model.graph.node)
        self._left = dict.fromkeys(range(len(self._nodes)))
        self._producer = {name: index for index, node in enumerate(self._nodes) for name in node.output if name}
        self._readers: dict[str, set[int]] = {}
        for index, node in enumerate(self._nodes):
            for name in reads(node):
                self._readers.setdefault(name, set()).add(index)
        self._constants = {tensor.name for tensor in model.graph.initializer}
        self._held: dict[str, list[Array]] = {}
        for value in model.graph.input:
            if value.name not in self._constants:
                self._held[value.name] = [np.asarray(feeds[value.name]) for feeds in frames]
        self._frames = len(frames)

    def reach(self, name: str) -> list[Array]:
        """Run every node that `name` still needs and return its value frame by frame.

        Raises:
            EngineError: ONNX Runtime refused a piece of the model.
            KeyError: the model has no such value, or it was passed and is held no more.
        """
        if name not in self._held:
            if self._producer.get(name) not in self._left:
                raise KeyError(name)
            self._run(self._before(name), name)
        return self._held[name]

    def _before(self, name: str) -> list[int]:
        found: set[int] = set()
        open_names = [name]
        while open_names:
            index = self._producer.get(open_names.pop())
            if index is None or index in found or index not in self._left:
                continue
            found.add(index)
            open_names.extend(n for n in reads(self._nodes[index]) if n not in self._held)
        return sorted(found)

    def _run(self, indices: list[int], wanted: str) -> None:
        inside = {self._nodes[i].output[k] for i in indices for k in range(len(self._nodes[i].output))}
        given = {n for i in indices for n in reads(self._nodes[i])} & self._held.keys()
        for index in indices:
            del self._left[index]
        kept = [n for n in inside if n and (n == wanted or self._readers.get(n, set()) & self._left.keys())]
        session = open_session(self._piece(indices, sorted(given), kept), self._threads, optimize=False)
        fresh: dict[str, list[Array]] = {n: [] for n in kept}
        for frame in range(self._frames):
            arrays = session.run(kept, {n: self._held[n][frame] for n in given})
            for n, array in zip(kept, arrays, strict=True):
                fresh[n].append(array)
        self._held.update(fresh)
        for n in [n for n in self._held if n != wanted and not self._readers.get(n, set()) & self._left.keys()]:
            del self._held[n]

    def _piece(self, indices: list[int], given: list[str], kept: list[str]) -> onnx.ModelProto:
        used = {n for i in indices for n in reads(self._nodes[i])}
        inputs = [
            helper.make_tensor_value_info(
                n, helper.np_dtype_to_tensor_dtype(self._held[n][0].dtype), self._held[n][0].shape
            )
            for n in given
        ]
        graph = helper.make_graph(
            [self._nodes[i] for i in indices],
            "piece",
            inputs,
            [onnx.ValueInfoProto(name=n) for n in kept],
            [tensor for tensor in self._model.graph.initializer if tensor.name in used],
        )
        return helper.make_model(
            graph,
            opset_imports=self._model.opset_import,
            ir_version=self._model.ir_version,
            functions=self._model.functions,
        )


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, those that its subgraphs take from outside among them."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            for inner in graph.node:
                yield from reads(inner)
            yield from (value.name for value in graph.output)


def live_bytes(model: onnx.ModelProto, sizes: Mapping[str, int]) -> int:
    """Return the most bytes that a walk holds a frame, `sizes` giving those of each value."""
    last = {name: index for index, node in enumerate(model.graph.node) for name in reads(node)}
    held = {value.name: sizes.get(value.name, 0) for value in model.graph.input}
    most = sum(held.values())
    for index, node in enumerate(model.graph.node):
        held.update({name: sizes.get(name, 0) for name in node.output})
        most = max(most, sum(held.values()))
        held = {name: size for name, size in held.items() if last.get(name, -1) > index}
    return most
