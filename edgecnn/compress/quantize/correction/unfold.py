"""A layer as a matrix product: rows of inputs, rows of weights, rows of outputs, a group of channels at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import helper

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Unfolded:
    """How one node multiplies: `outputs[g] = inputs[g] @ rows(weights)[g].T` for each group g.

    Attributes:
        kind: Conv, ConvTranspose, Gemm or MatMul.
        shape: the weights' shape.
        groups: number of groups; 1 but for convolutions.
        strides, dilations, pads: a number an axis of space; pads hold beginnings, then ends.
        transposed: whether Gemm's weights are [outputs, inputs].
    """

    kind: str
    shape: tuple[int, ...]
    groups: int = 1
    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    transposed: bool = False

    def rows(self, weights: Array) -> Array:
        """Return weights as [groups, outputs a group, inputs a row]."""
        if self.kind == "Conv":
            return weights.reshape(self.groups, self.shape[0] // self.groups, -1)
        if self.kind == "ConvTranspose":
            # Seen from the output, the kernel is turned round.
            space = tuple(range(2, weights.ndim))
            split = np.flip(weights, space).reshape(self.groups, self.shape[0] // self.groups, *self.shape[1:])
            return np.moveaxis(split, 2, 1).reshape(self.groups, self.shape[1], -1)
        return (weights if self.transposed else weights.T)[None]

    def back(self, rows: Array) -> Array:
        """Return what `rows` was made of, in the weights' shape."""
        if self.kind == "Conv":
            return rows.reshape(self.shape)
        if self.kind == "ConvTranspose":
            inputs = self.shape[0] // self.groups
            split = rows.reshape(self.groups, self.shape[1], inputs, *self.shape[2:])
            space = tuple(range(2, len(self.shape)))
            return np.ascontiguousarray(np.flip(np.moveaxis(split, 1, 2).reshape(self.shape), space))
        return np.ascontiguousarray(rows[0] if self.transposed else rows[0].T)

    def sample(
        self, inputs: Sequence[Array], outputs: Sequence[Array], count: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return about `count` rows of inputs [groups, n, inputs a row] and outputs [groups, n, outputs a group].

        Rows are drawn alike from each frame, in space or, of fully connected layers, among all but the last axis.
        """
        each = -(-count // len(inputs))
        drawn = [self._draw(x, y, each, rng) for x, y in zip(inputs, outputs, strict=True)]
        first, second = (np.concatenate(part, axis=1) for part in zip(*drawn, strict=True))
        return first, second

    def _draw(self, x: Array, y: Array, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        if self.kind in {"Gemm", "MatMul"}:
            rows, answers = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])
            chosen = rng.choice(len(rows), min(count, len(rows)), replace=False)
            return rows[None, chosen].astype(np.float64), answers[None, chosen].astype(np.float64)
        places = y.shape[0] * int(np.prod(y.shape[2:]))
        chosen = rng.choice(places, min(count, places), replace=False)
        batch, *space = np.unravel_index(chosen, (y.shape[0], *y.shape[2:]))
        answers = np.moveaxis(y, 1, -1)[(batch, *space)].astype(np.float64)
        patches = self._patches(x, y.shape[2:], batch, space).astype(np.float64)
        n = len(chosen)
        patches = patches.reshape(n, self.groups, -1).transpose(1, 0, 2)
        return patches, answers.reshape(n, self.groups, -1).transpose(1, 0, 2)

    def _patches(self, x: Array, out: Sequence[int], batch: Array, space: list[Array]) -> Array:
        """Return the inputs under the kernel at some places of the output, [places, channels, *kernel]."""
        kernel, axes = self.shape[2:], len(out)
        reach = [(k - 1) * d for k, d in zip(kernel, self.dilations, strict=True)]
        strides = self.strides
        if self.kind == "ConvTranspose":
            wide = np.zeros(
                (*x.shape[:2], *((n - 1) * s + 1 for n, s in zip(x.shape[2:], strides, strict=True))), x.dtype
            )
            wide[(slice(None), slice(None), *(slice(None, None, s) for s in strides))] = x
            before = [r - p for r, p in zip(reach, self.pads[:axes], strict=True)]
            x, strides = wide, (1,) * axes
        else:
            before = list(self.pads[:axes])
        after = [
            (n - 1) * s + r + 1 - b - size
            for n, s, r, b, size in zip(out, strides, reach, before, x.shape[2:], strict=True)
        ]
        x = _padded(x, before, after)
        windows = sliding_window_view(x, [r + 1 for r in reach], axis=tuple(range(2, 2 + axes)))
        starts = [place * s for place, s in zip(space, strides, strict=True)]
        taken = np.moveaxis(windows, 1, 1 + axes)[(batch, *starts)]
        every = tuple(slice(None, None, d) for d in self.dilations)
        return np.asarray(taken[(slice(None), slice(None), *every)])


def _padded(x: Array, before: Sequence[int], after: Sequence[int]) -> Array:
    """Pad with zeros; a negative width cuts."""
    widths = [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)]
    x = np.pad(x, [(0, 0), (0, 0), *widths])
    cut = [slice(max(-b, 0), size - max(-a, 0)) for b, a, size in zip(before, after, x.shape[2:], strict=True)]
    return x[(slice(None), slice(None), *cut)]


def unfold(node: onnx.NodeProto, shape: tuple[int, ...], x: tuple[int, ...], y: tuple[int, ...]) -> Unfolded | None:
    """Return how `node` multiplies weights of `shape` from inputs of shape `x` to outputs of shape `y`.

    None where that is no plain product of rows: a Gemm that transposes or scales its input, or stacked matrices.
    """
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if node.op_type == "MatMul":
        return Unfolded("MatMul", shape) if len(shape) == 2 else None
    if node.op_type == "Gemm":
        plain = not attributes.get("transA") and attributes.get("alpha", 1.0) == attributes.get("beta", 1.0) == 1.0
        return Unfolded("Gemm", shape, transposed=bool(attributes.get("transB"))) if plain else None
    if node.op_type not in {"Conv", "ConvTranspose"}:
        return None
    axes = len(shape) - 2
    strides = tuple(attributes.get("strides", [1] * axes))
    dilations = tuple(attributes.get("dilations", [1] * axes))
    pads = tuple(attributes.get("pads", [0] * (2 * axes)))
    mode = attributes.get("auto_pad", b"NOTSET")
    if mode in {b"SAME_UPPER", b"SAME_LOWER"} or "output_shape" in attributes:
        reach = [(k - 1) * d + 1 for k, d in zip(shape[2:], dilations, strict=True)]
        small, large = (x, y) if node.op_type == "ConvTranspose" else (y, x)
        more = attributes.get("output_padding", [0] * axes)
        total = [
            max((s - 1) * step + r + extra - big, 0)
            for s, step, r, extra, big in zip(small[2:], strides, reach, more, large[2:], strict=True)
        ]
        first = [t // 2 if mode == b"SAME_UPPER" else t - t // 2 for t in total]
        pads = (*first, *(t - f for t, f in zip(total, first, strict=True)))
    return Unfolded(node.op_type, shape, int(attributes.get("group", 1)), strides, dilations, pads)
