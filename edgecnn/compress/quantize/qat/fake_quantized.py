"""A placed Q/DQ model as a torch module: the very graph that is shipped, trained where it stands and written back.

Q and DQ compute as ONNX's QuantizeLinear and DequantizeLinear do; rounding lets gradients through unchanged (the
straight-through estimator, Bengio et al., arXiv 1308.3432), and the scales of activations are learnt with the weights
(LSQ: Esser et al., arXiv 1902.08153; its gradient is what autograd finds in scale * (clip(round(x / scale)) - zero)).
Nothing is converted, so the trained module and the exported graph can't drift apart. Batch norm is folded in a placed
model: it trains as the affine map it has become, its statistics those of the float network.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from edgecnn.compress.quantize.correction.lattice import is_2_4
from edgecnn.compress.quantize.correction.placed import BIAS_LIMIT, WEIGHTED
from edgecnn.compress.quantize.operands import output_axis
from edgecnn.compress.quantize.simulate import graph_inputs
from edgecnn.core.errors import InputError
from edgecnn.models.onnx_ops.inputs import given
from edgecnn.models.onnx_ops.layers import LAYERS
from edgecnn.models.onnx_ops.moving import reshape
from edgecnn.models.onnx_ops.node import Node, read_node
from edgecnn.models.onnx_ops.table import OPS

Array = NDArray[Any]
SCALE_PACE = 10.0
"""How much faster the logarithm of a scale moves than a weight, in parts of its channel's range, at the same rate."""
BIASED = frozenset({"Conv", "ConvTranspose", "Gemm"})


@dataclass(frozen=True, slots=True)
class _Weight:
    """Integers behind a DQ: their scale shaped to multiply them, and the greatest integer; the least is its minus."""

    scale: Tensor
    high: int

    def integers(self, real: Tensor) -> Tensor:
        """Return the integers nearest to real weights."""
        return _rounded(real / self.scale.to(real.device)).clamp(-self.high, self.high)


@final
class FakeQuantized(nn.Module):
    """The placed model `proto`; forward takes its inputs in order, [B, ...] each, and returns a tuple of its outputs.

    What trains is held in parts of its own range (a weight's channel, a bias's tensor): optimizers of the Adam kind
    move every parameter alike, and folded batch norms leave channels whose weights are a thousand times those of
    others.

    All float weights, the integers behind DQ (as real numbers on the way), biases and the scales of activations train.
    Scales of tensors derived from the pixels alone, and those in `fixed`, stay; scales that are equal stay equal; zeros
    of weights that are 2:4 sparse stay zero.

    Args:
        proto: static shapes, batch 1, as the placement engine writes it.
        fixed: names of tensors whose scale must not move.
        learn_scales: whether the scales of activations train.

    Attributes:
        input_names: in order.
        output_names: in order.
        frame_by_frame: whether a batch goes through one frame after the other. Statistics of batch norms are fixed in
            such a graph, so that the answers and gradients are those of the batch.

    Raises:
        InputError: an operator that has no torch form here.
    """

    def __init__(
        self, proto: onnx.ModelProto, fixed: frozenset[str] = frozenset(), *, learn_scales: bool = True
    ) -> None:
        super().__init__()
        self.frame_by_frame = False
        self._frames = 1
        self._proto = proto
        self._constants = {one.name: np.asarray(numpy_helper.to_array(one)) for one in proto.graph.initializer}
        self._nodes = [read_node(node) for node in proto.graph.node]
        self._check()
        self.input_names = tuple(value.name for value in graph_inputs(proto))
        self.output_names = tuple(value.name for value in proto.graph.output)
        self._makers = {name: node for node in self._nodes for name in node.outputs}
        self._trained: dict[str, str] = {}
        self._weights: dict[str, _Weight] = {}
        self._roots: dict[str, str] = {}
        self._masks: dict[str, str] = {}
        self._units: dict[str, str] = {}
        self._find_weights()
        if learn_scales:
            self._find_scales(fixed)
        for index, value in enumerate(self._constants.values()):
            # Buffers move to the device with the module; a checkpoint needs only what trains.
            tensor = torch.from_numpy(np.array(value, _kind(value)))
            self.register_buffer(f"constant_{index}", tensor, persistent=False)
        self._buffers_of = {name: f"constant_{index}" for index, name in enumerate(self._constants)}

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the graph."""
        if self.frame_by_frame and len(inputs[0]) > 1:
            each = [self._answer(frame) for frame in zip(*(torch.split(value, 1) for value in inputs), strict=True)]
            return tuple(torch.cat(parts) for parts in zip(*each, strict=True))
        return self._answer(inputs)

    def _answer(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        self._frames = len(inputs[0])
        values: dict[str, Tensor] = dict(zip(self.input_names, inputs, strict=True))
        for node in self._nodes:
            answer = self._run(node, values)
            values.update(zip(node.outputs, answer if isinstance(answer, tuple) else (answer,), strict=False))
        return tuple(values[name] for name in self.output_names)

    def batches(self, example: tuple[Tensor, ...]) -> bool:
        """Return whether several frames can go through at once, tried on `example`, one frame's inputs.

        The graph is written for one frame; what it says of the first axis may not bear another length.
        """
        with torch.no_grad():
            one = self(*example)
            try:
                two = self(*(torch.cat([value, value]) for value in example))
            except RuntimeError:
                return False
        return all(
            both.shape[0] == 2 * alone.shape[0] and torch.allclose(both, torch.cat([alone, alone]), 1e-3, 1e-3)
            for alone, both in zip(one, two, strict=True)
        )

    def written(self) -> onnx.ModelProto:
        """Return the model with what was learnt: integers, biases at the scales they now have, scales."""
        result = onnx.ModelProto()
        result.CopyFrom(self._proto)
        changed: dict[str, Array] = {}
        with torch.no_grad():
            for name in self._roots:
                changed[name] = self._scale(name).cpu().numpy()
            for name in self._trained:
                value = self._value(name)
                if name in self._weights:
                    value = self._weights[name].integers(value)
                if name not in self._roots:
                    changed[name] = value.cpu().numpy()
        self._settle_biases(changed)
        for one in result.graph.initializer:
            if one.name in changed:
                dtype = self._constants[one.name].dtype
                stored = np.array(changed[one.name], dtype).reshape(self._constants[one.name].shape)
                one.CopyFrom(numpy_helper.from_array(stored, one.name))
        return result

    def scales(self) -> dict[str, float]:
        """Return the scale of each activation that trains, by its tensor's name."""
        return {name.removesuffix(".scale"): float(self._scale(name).detach()) for name in self._roots}

    def _check(self) -> None:
        known = OPS.keys() | {"QuantizeLinear", "DequantizeLinear"}
        strange = sorted({node.op for node in self._nodes} - known)
        if strange:
            raise InputError(f"training can't run {', '.join(strange)}; quantize this network without training")

    def _run(self, node: Node, values: Mapping[str, Tensor]) -> Tensor | tuple[Tensor, ...]:
        inputs = [self._read(name, values) for name in node.inputs]
        if node.op == "QuantizeLinear":
            return self._quantize(node, inputs)
        if node.op == "DequantizeLinear":
            return self._dequantize(node, inputs)
        if node.op == "Reshape":
            return reshape(node, inputs, self._frames)
        try:
            return OPS[node.op](node, inputs)
        except InputError as error:
            raise InputError(f"training: {error}; keep it out or quantize without training") from error

    def _read(self, name: str, values: Mapping[str, Tensor]) -> Tensor | None:
        if not name:
            return None
        return values[name] if name in values else self._value(name)

    def _value(self, name: str) -> Tensor:
        held = self._trained.get(name)
        value: Tensor = getattr(self, held or self._buffers_of[name])
        if held and name in self._units:
            value = value * getattr(self, self._units[name])
        return value * getattr(self, self._masks[name]) if name in self._masks else value

    def _scale(self, name: str) -> Tensor:
        root = self._roots.get(name)
        if root is None:
            return self._value(name)
        start = float(self._constants[root].reshape(()))
        moved: Tensor = start * torch.exp(SCALE_PACE * getattr(self, self._trained[root]))
        return moved

    def _quantize(self, node: Node, inputs: Sequence[Tensor | None]) -> Tensor:
        x, zero = given(inputs, 0), self._constants[node.inputs[2]]
        limits = np.iinfo(zero.dtype)
        scale = _along(self._scale(node.inputs[1]), x, node.get("axis", 1))
        offset = _along(self._value(node.inputs[2]).float(), x, node.get("axis", 1))
        return (_rounded(x / scale) + offset).clamp(int(limits.min), int(limits.max))

    def _dequantize(self, node: Node, inputs: Sequence[Tensor | None]) -> Tensor:
        stored = given(inputs, 0)
        weight = self._weights.get(node.inputs[0])
        if weight is not None:
            return weight.integers(stored) * weight.scale.to(stored.device)
        if node.inputs[0] in self._trained:
            return stored  # a bias, kept in real numbers until it is written
        scale = _along(self._scale(node.inputs[1]), stored, node.get("axis", 1))
        if len(node.inputs) < 3 or not node.inputs[2]:
            return stored.float() * scale
        return (stored.float() - _along(self._value(node.inputs[2]).float(), stored, node.get("axis", 1))) * scale

    def _find_weights(self) -> None:
        for node in self._nodes:
            if node.op == "DequantizeLinear" and node.inputs[0] in self._constants:
                self._add_stored(node)
        for node in self._nodes:
            for place, name in enumerate(node.inputs):
                value = self._constants.get(name)
                if value is None or name in self._trained or value.dtype.kind != "f":
                    continue
                simulated = node.op == "QuantizeLinear" and place == 0
                axis = None
                if simulated:
                    axis = node.get("axis", 1) if self._constants[node.inputs[1]].size > 1 else None
                elif node.op not in LAYERS or node.op == "BatchNormalization" or place not in (1, 2):
                    continue
                elif node.op in WEIGHTED and place == 1:
                    axis = output_axis(node.op, value.ndim, transposed=bool(node.get("transB", 0)))
                weight = torch.from_numpy(np.array(value, np.float32))
                self._train_in_parts(name, weight, _ranges(weight, axis))

    def _add_stored(self, node: Node) -> None:
        stored, scale = self._constants[node.inputs[0]], self._constants[node.inputs[1]]
        name, axis = node.inputs[0], node.get("axis", 1)
        shaped = torch.from_numpy(np.array(scale, np.float32))
        if shaped.ndim == 1 and stored.ndim:
            shaped = shaped.reshape([-1 if place == axis % stored.ndim else 1 for place in range(stored.ndim)])
        if stored.dtype == np.int32:
            self._train_in_parts(name, torch.from_numpy(np.array(stored * shaped.double().numpy(), np.float32)))
            return
        limits = np.iinfo(stored.dtype)
        # One scheme saves a bit, and int8's least integer is never written: what was reached bounds what will be.
        high = max(int(np.abs(stored.astype(np.int32)).max(initial=1)), 1)
        zero = self._constants.get(node.inputs[2] if len(node.inputs) > 2 else "", np.zeros(1))
        if name not in self._trained and limits.min < 0 and not zero.any():
            self._weights[name] = _Weight(shaped, high)
            self._train_in_parts(name, torch.from_numpy(np.array(stored, np.float32)) * shaped, high * shaped)

    def _find_scales(self, fixed: frozenset[str]) -> None:
        """Register the scales of activations, those that are equal as one."""
        first: dict[tuple[float, int, str], str] = {}
        pixels = self._pixels()
        for node in self._nodes:
            if node.op != "QuantizeLinear" or node.inputs[0] in self._constants or node.inputs[0] in pixels:
                continue
            name, zero = node.inputs[1], self._constants[node.inputs[2]]
            scale = self._constants[name]
            if scale.size != 1 or name.removesuffix(".scale") in fixed or name in self._roots:
                continue
            key = (float(scale.reshape(())), int(zero.reshape(())), str(zero.dtype))
            root = first.setdefault(key, name)
            self._roots[name] = root
            self._train(root, torch.zeros(()))

    def _pixels(self) -> set[str]:
        """Return the values that are the inputs, moved or cast."""
        found = set(self.input_names)
        for node in self._nodes:
            if node.op in ("Cast", "Transpose", "Reshape", "Identity") and node.inputs[0] in found:
                found.update(node.outputs)
        return found

    def _train_in_parts(self, name: str, start: Tensor, unit: Tensor | None = None) -> None:
        """Register `start` in parts of `unit`, by default of its own greatest value."""
        if name in self._trained:
            return
        unit = _ranges(start) if unit is None else unit
        if bool((unit > 0).all()):
            self._units[name] = f"unit_{len(self._units)}"
            self.register_buffer(self._units[name], unit, persistent=False)
            start = start / unit
        self._train(name, start)

    def _train(self, name: str, start: Tensor) -> None:
        if name not in self._trained:
            self._trained[name] = f"trained_{len(self._trained)}"
            self.register_parameter(self._trained[name], nn.Parameter(start.clone()))
            if is_2_4(start.numpy()):
                self._masks[name] = f"mask_{len(self._masks)}"
                self.register_buffer(self._masks[name], (start != 0).float(), persistent=False)

    def _settle_biases(self, changed: dict[str, Array]) -> None:
        """Store int32 biases at the scale of input times weight, as it has become."""
        for node in self._nodes:
            bias = self._behind(node.inputs[2]) if node.op in BIASED and len(node.inputs) > 2 else None
            if bias is None or bias.inputs[0] not in self._trained or bias.inputs[0] not in self._constants:
                continue
            source, weight = self._scale_before(node.inputs[0]), self._behind(node.inputs[1])
            if source is None or weight is None:
                continue
            shape = self._constants[bias.inputs[1]].shape
            scale = (changed.get(source, self._constants[source]) * self._constants[weight.inputs[1]]).astype(
                np.float32
            )
            scale = np.broadcast_to(scale.reshape(-1), (math.prod(shape),)).reshape(shape)
            real = self._value(bias.inputs[0]).detach().cpu().numpy().astype(np.float64)
            changed[bias.inputs[1]] = scale
            changed[bias.inputs[0]] = np.clip(np.round(real / np.maximum(scale, 1e-30)), -BIAS_LIMIT, BIAS_LIMIT)

    def _behind(self, name: str) -> Node | None:
        node = self._makers.get(name)
        return node if node is not None and node.op == "DequantizeLinear" else None

    def _scale_before(self, name: str) -> str | None:
        """Return the scale of what a layer reads, past operators that only move it."""
        node = self._makers.get(name)
        while node is not None and node.op != "DequantizeLinear":
            node = self._makers.get(node.inputs[0])
        return node.inputs[1] if node is not None else None


def _ranges(weight: Tensor, axis: int | None = None) -> Tensor:
    """Return the greatest absolute value of each channel along `axis`, shaped to go with `weight`, or of all of it.

    Channels of nothing but zeros get that of all.
    """
    most = weight.abs().amax() if weight.numel() else torch.zeros(())
    if axis is None or not weight.ndim or not weight.numel():
        return most
    others = [place for place in range(weight.ndim) if place != axis % weight.ndim]
    each = weight.abs().amax(others, keepdim=True) if others else weight.abs()
    return torch.where(each > 0, each, most)


def _rounded(x: Tensor) -> Tensor:
    """Round half to even; the gradient passes as it is."""
    return x + (torch.round(x) - x).detach()


def _along(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """Return one value a channel shaped to go with `x`."""
    if values.ndim == 0 or values.numel() == 1:
        return values.reshape(())
    return values.reshape([-1 if place == axis % x.ndim else 1 for place in range(x.ndim)])


def _kind(value: Array) -> Any:
    return np.float32 if value.dtype.kind == "f" else value.dtype
