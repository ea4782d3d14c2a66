"""Adds nodes to an ONNX graph in the form that its opset asks for: the alphabet of the random graphs."""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, helper


@dataclass(frozen=True)
class Feature:
    """A float value [1, channels, height, width]."""

    name: str
    channels: int
    height: int
    width: int


def same(x: Feature, name: str) -> Feature:
    """Return the value `name`, as large as `x`."""
    return Feature(name, x.channels, x.height, x.width)


class Builder:
    """Nodes and constants; each method returns names of values. `rng` is set anew for every block."""

    def __init__(self, opset):
        self.opset = opset
        self.rng = np.random.default_rng(0)
        self.nodes, self.constants, self.count = [], {}, 0

    def node(self, kind, inputs, *, outputs=1, **attributes):
        names = [f"v{self.count + i + 1}" for i in range(outputs)]
        self.count += outputs
        self.nodes.append(helper.make_node(kind, inputs, names, name=f"{kind}_{names[0]}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def floats(self, *shape, around=0.0, spread=1.0):
        return self.constant((around + spread * self.rng.standard_normal(shape)).astype(np.float32))

    def weights(self, outputs, inputs, *kernel):
        """He-initialised, with channels of unlike size, as in trained networks."""
        values = self.rng.standard_normal((outputs, inputs, *kernel)) * np.sqrt(2 / (inputs * np.prod(kernel)))
        values *= np.exp(self.rng.normal(0, 0.4, (outputs, 1, *([1] * len(kernel)))))
        return self.constant(values.astype(np.float32))

    def reshape(self, value, *shape):
        return self.node("Reshape", [value, self.constant(np.array(shape, np.int64))])

    def clip(self, value, low, high):
        if self.opset < 11:
            return self.node("Clip", [value], min=low, max=high)
        return self.node("Clip", [value, self.constant(np.float32(low)), self.constant(np.float32(high))])

    def _axes(self, kind, value, axes, since, **attributes):
        if self.opset < since:
            return self.node(kind, [value], axes=axes, **attributes)
        return self.node(kind, [value, self.constant(np.array(axes, np.int64))], **attributes)

    def squeeze(self, value, *axes):
        return self._axes("Squeeze", value, list(axes), 13)

    def unsqueeze(self, value, *axes):
        return self._axes("Unsqueeze", value, list(axes), 13)

    def reduce_mean(self, value, *axes, keepdims=1):
        return self._axes("ReduceMean", value, list(axes), 18, keepdims=keepdims)

    def reduce_sum(self, value, *axes, keepdims=1):
        return self._axes("ReduceSum", value, list(axes), 13, keepdims=keepdims)

    def slice(self, value, start, end, axis, step=1):
        if self.opset < 10:
            return self.node("Slice", [value], starts=[start], ends=[end], axes=[axis])
        return self.node("Slice", [value, *(self.constant(np.array([n], np.int64)) for n in (start, end, axis, step))])

    def split(self, value, sizes, axis):
        if self.opset < 13:
            return self.node("Split", [value], outputs=len(sizes), axis=axis, split=sizes)
        return self.node("Split", [value, self.constant(np.array(sizes, np.int64))], outputs=len(sizes), axis=axis)

    def pad(self, value, pads, mode="constant"):
        if self.opset < 11:
            return self.node("Pad", [value], pads=pads, mode=mode)
        return self.node("Pad", [value, self.constant(np.array(pads, np.int64))], mode=mode)

    def resize(self, value, factor, mode):
        scales = self.constant(np.array([1, 1, factor, factor], np.float32))
        if self.opset < 10:
            return self.node("Upsample", [value, scales], mode=mode)
        if self.opset < 11:
            return self.node("Resize", [value, scales], mode=mode)
        empty = "" if self.opset >= 13 else self.constant(np.zeros(0, np.float32))
        where = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"} if mode == "nearest" else {}
        return self.node("Resize", [value, empty, scales], mode=mode, **where)

    def softmax(self, value, axis, rank):
        """Softmax along one axis, which before opset 13 has to be the last one."""
        if self.opset >= 13 or axis == rank - 1:
            return self.node("Softmax", [value], axis=axis)
        swap = [axis if i == rank - 1 else rank - 1 if i == axis else i for i in range(rank)]
        inner = self.node("Softmax", [self.node("Transpose", [value], perm=swap)], axis=rank - 1)
        return self.node("Transpose", [inner], perm=swap)

    def to_float(self, value):
        return self.node("Cast", [value], to=TensorProto.FLOAT)
