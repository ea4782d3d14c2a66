"""The network while it is made: which blob holds which ONNX value, and in what shape.

ncnn has no batch axis and blobs of at most four dimensions. One frame at a time runs, and a blob holds a value's
numbers in ONNX's order under dimensions of its own choice, as long as those multiply to the same: what only reshapes
costs nothing until a layer wants other dimensions.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgecnn.compile.ncnn.network import Layer, Network, Parameter, Weight
from edgecnn.compile.ncnn.source import Node, Source

Dims = tuple[int, ...]
MOST_DIMS = 4
LONGEST_NAME = 120
DIM_KEYS = ((), (0,), (1, 0), (2, 1, 0), (2, 11, 1, 0))
"""Numbers of the parameters that hold dimensions, outermost first, by how many there are."""
MUL, ROUND = 2, 18


@dataclass(frozen=True, slots=True)
class Rounding:
    """What Q and DQ do: real = scale * clip(round(x / scale), low, high)."""

    scale: float
    low: int
    high: int

    @property
    def int8(self) -> bool:
        """Whether ncnn's INT8 layers round so: signed, without zero point."""
        return self.high == 127 and self.low in {-127, -128}


@dataclass(frozen=True, slots=True)
class Value:
    """An ONNX value of `shape` in a blob of `dims`; `rounding` is still to be done to it."""

    blob: str
    dims: Dims
    shape: Dims
    rounding: Rounding | None = None


class Builder:
    """Adds layers to `network` and keeps account of values."""

    def __init__(self, source: Source) -> None:
        self.source, self.network = source, Network()
        self._values: dict[str, Value] = {}
        self._views: dict[tuple[str, Dims], str] = {}
        self._rounded: dict[tuple[str, Dims, Rounding], Value] = {}
        self._taken: set[str] = set()
        self._planar: set[str] = set()

    def emit(
        self,
        kind: str,
        inputs: Sequence[str],
        parameters: Mapping[int, Parameter] | None = None,
        weights: Sequence[Weight] = (),
        *,
        name: str,
        outputs: int = 1,
    ) -> list[str]:
        """Add a layer and return its output blobs. `name` is a wish; it becomes unique."""
        own = self._unique(name)
        blobs = [own if outputs == 1 else f"{own}.{index}" for index in range(outputs)]
        self.network.layers.append(Layer(kind, own, list(inputs), blobs, dict(parameters or {}), list(weights)))
        return blobs

    def put(self, name: str, blob: str, dims: Dims, shape: Dims | None = None) -> None:
        """Note that `blob` of `dims` holds the ONNX value `name`."""
        self._values[name] = Value(blob, dims, self.source.shapes[name] if shape is None else shape)

    def put_planar(self, name: str, blob: str, dims: Dims) -> None:
        """Note an input of channels last that is given with channels first; every reader only transposes it so."""
        self.put(name, blob, dims)
        self._planar.add(blob)

    def is_planar(self, value: Value) -> bool:
        """Whether `value` is such an input, whose transposition is done already."""
        return value.blob in self._planar

    def alias(self, name: str, value: Value) -> None:
        """Note that `name` holds the numbers of `value`, in the shape that ONNX says."""
        self._values[name] = replace(value, shape=self.source.shapes[name])

    def raw(self, node: Node, index: int = 0) -> Value:
        """Return an input of `node` that may have to be rounded still; a constant becomes a blob."""
        name = node.input(index)
        if name in self._values:
            return self._values[name]
        if name in self.source.constants:
            return self._constant(node, name)
        raise node.refuse(f"its input '{name}' is nothing ncnn computes")

    def value(self, node: Node, index: int = 0) -> Value:
        """Return an input of `node` in real numbers, rounded where the graph says so."""
        return self.real(self.raw(node, index))

    def real(self, value: Value) -> Value:
        """Return `value` with its rounding done, by float layers: those that round by themselves take it raw."""
        how = value.rounding
        if how is None:
            return value
        key = (value.blob, value.dims, how)
        if key not in self._rounded:
            base = f"{value.blob}.rounded"
            [scaled] = self.emit("BinaryOp", [value.blob], {0: MUL, 1: 1, 2: 1.0 / how.scale}, name=base)
            [whole] = self.emit("UnaryOp", [scaled], {0: ROUND}, name=base)
            [cut] = self.emit("Clip", [whole], {0: float(how.low), 1: float(how.high)}, name=base)
            [done] = self.emit("BinaryOp", [cut], {0: MUL, 1: 1, 2: how.scale}, name=base)
            self._rounded[key] = Value(done, value.dims, value.shape)
        return replace(self._rounded[key], shape=value.shape)

    def output(self, name: str) -> Value | None:
        """Return what holds the graph's output `name`; None if nothing does."""
        return self.real(self._values[name]) if name in self._values else None

    def view(self, value: Value, dims: Dims) -> str:
        """Return a blob with the numbers of `value` in `dims`."""
        if value.dims == dims:
            return value.blob
        key = (value.blob, dims)
        if key not in self._views:
            sizes: dict[int, Parameter] = dict(zip(DIM_KEYS[len(dims)], dims, strict=True))
            [self._views[key]] = self.emit("Reshape", [value.blob], sizes, name=f"{value.blob}.as")
        return self._views[key]

    def _constant(self, node: Node, name: str) -> Value:
        array = np.asarray(self.source.constants[name], np.float32)
        dims = natural(array.shape)
        if dims is None:
            raise node.refuse(f"its constant '{name}' has more than {MOST_DIMS} dimensions")
        sizes: dict[int, Parameter] = dict(zip(DIM_KEYS[len(dims)], dims, strict=True))
        [blob] = self.emit("MemoryData", [], sizes, [Weight(array)], name=name)
        self._values[name] = Value(blob, dims, tuple(array.shape))
        return self._values[name]

    def _unique(self, name: str) -> str:
        base = re.sub(r"[^A-Za-z0-9_./:-]", "_", name)[-LONGEST_NAME:] or "_"
        own, count = base, 0
        while own in self._taken:
            count += 1
            own = f"{base}_{count}"
        self._taken.add(own)
        return own


def natural(shape: Dims) -> Dims | None:
    """Return the dimensions that a value of `shape` has without its axis of one frame; None if there are too many."""
    dims = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    dims = dims or (1,)
    return dims if len(dims) <= MOST_DIMS else None


def parts(shape: Dims, axis: int) -> Dims:
    """Return what is before `axis`, the axis, and what is behind it, as three sizes."""
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def around(node: Node, shape: Dims, axis: int) -> tuple[Dims, int]:
    """Return dimensions for `shape` of which one is `axis` by itself, and which.

    These are the natural ones where the axis is in them, so that nothing has to be reshaped.
    """
    axis += len(shape) if axis < 0 else 0
    if not 0 <= axis < len(shape):
        raise node.refuse(f"axis {axis} is not one of a tensor of shape {list(shape)}")
    dims = natural(shape)
    if dims is not None and len(dims) < len(shape) and axis > 0:
        return dims, axis - 1
    if dims is not None and len(dims) == len(shape):
        return dims, axis
    return parts(shape, axis), 1
