"""A convolution whose channels are split at once becomes a convolution for each part: the same numbers.

Joined, it reads its input once, which ONNX Runtime is good at. OpenVINO picks the parts out of the result number by
number, which takes longer than to read the input again.
"""

from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

CHANNELS = 1


def part_convolutions(model: ModelProto) -> bool:
    """Rewrite, in place, each convolution that only a Split along its channels reads; return whether there was one.

    Its weights may be stored in integers, with one scale or a scale a channel. A grouped convolution, computed weights
    and a Split by computed sizes stay as they are.
    """
    found = False
    for split in [node for node in model.graph.node if node.op_type == "Split"]:
        parts = _Parts(model, split)
        if parts.sizes:
            parts.write()
            found = True
    return found


class _Parts:
    """The parts that one Split makes of one convolution; `sizes` is empty where they can't be made."""

    def __init__(self, model: ModelProto, split: NodeProto) -> None:
        self.graph, self.split = model.graph, split
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.makers = {name: node for node in model.graph.node for name in node.output}
        self.convolution = self.makers.get(split.input[0], split)
        self.made: list[NodeProto] = []
        self.sizes = self._sizes()

    def _sizes(self) -> list[int]:
        joined, convolution = self.split.input[0], self.convolution
        read = [name for node in self.graph.node for name in node.input] + [value.name for value in self.graph.output]
        if convolution.op_type != "Conv" or read.count(joined) != 1:
            return []
        if _attribute(self.split, "axis", 0) != CHANNELS or _attribute(convolution, "group", 1) != 1:
            return []
        if not all(self._is_stored(name) for name in convolution.input[1:]):
            return []
        weights = self._stored(convolution.input[1])
        if len(self.split.input) > 1:
            given = self.constants.get(self.split.input[1])
            return [] if given is None else [int(size) for size in numpy_helper.to_array(given)]
        count = len(self.split.output)
        each = -(-weights.dims[0] // count)
        return [each] * (count - 1) + [weights.dims[0] - each * (count - 1)]

    def _is_stored(self, name: str) -> bool:
        """Whether weights are a constant, or integers with a scale for all or for each of the first axis."""
        if name in self.constants:
            return True
        back = self.makers.get(name)
        if back is None or back.op_type != "DequantizeLinear" or not all(x in self.constants for x in back.input):
            return False
        integers, scales = (self.constants[x].dims for x in back.input[:2])
        return not scales or (list(scales) == [integers[0]] and _attribute(back, "axis", 1) == 0)

    def _stored(self, name: str) -> TensorProto:
        constant: TensorProto = self.constants[name if name in self.constants else self.makers[name].input[0]]
        return constant

    def write(self) -> None:
        """Put the parts in place of the convolution and the Split."""
        place = list(self.graph.node).index(self.split) - 1
        for (first, last), output in zip(pairwise(accumulate(self.sizes, initial=0)), self.split.output, strict=True):
            weights = [self._channels(name, first, last) for name in self.convolution.input[1:]]
            self._again(self.convolution, first, [self.convolution.input[0], *weights], output)
        self.graph.node.remove(self.split)
        self.graph.node.remove(self.convolution)
        for node in reversed(self.made):
            self.graph.node.insert(place, node)

    def _channels(self, name: str, first: int, last: int) -> str:
        """Return the name of channels `first` to `last` of stored weights; a scale for all stays."""
        constant = self.constants.get(name)
        if constant is None:
            back = self.makers[name]
            inputs = [self._channels(each, first, last) for each in back.input]
            return self._again(back, first, inputs, f"{name}.{first}")
        if not constant.dims:
            return name
        kept = numpy_helper.from_array(np.ascontiguousarray(numpy_helper.to_array(constant)[first:last]))
        kept.name = f"{name}.{first}"
        self.graph.initializer.append(kept)
        return kept.name

    def _again(self, node: NodeProto, first: int, inputs: list[str], output: str) -> str:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.name = f"{node.name}.{first}"
        copy.input[:], copy.output[:] = inputs, [output]
        self.made.append(copy)
        return output


def _attribute(node: NodeProto, name: str, default: Any) -> Any:
    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)
