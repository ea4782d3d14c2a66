"""Cross-layer equalization: give the channels that share one scale the same reach, and change nothing in float."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.compress.quantize.correction.channels import Channels, Labels, Link, find_channels
from edgecnn.compress.quantize.graph import constant, values
from edgecnn.compress.quantize.simulate import Calibration, Simulator, Subset, chunks, value_bytes

Array = NDArray[np.float64]
RECTIFIERS = frozenset({"Clip", "LeakyRelu", "PRelu", "Relu"})
WIDEST = 64.0
"""Most that a channel is scaled up against the mean of those it shares a tensor with: a dead channel stays small."""
ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Equalized:
    """How many channels were scaled, how many weights and biases that changed, and the largest factor either way."""

    channels: int
    constants: int
    largest: float


def equalize(
    model: onnx.ModelProto,
    calibration: Calibration | None = None,
    *,
    frames: int = 32,
    balance: float = 0.6,
    threads: int = 2,
) -> tuple[onnx.ModelProto, Equalized]:
    """Return `model` with its channels scaled, equal in float to rounding, and what was done.

    A channel's scale is peak^balance / weight^(1 - balance): `weight` its largest weight in the layers that read it
    (Nagel et al. 2019, arXiv 1906.04721), `peak` the largest magnitude seen in it over `frames` frames or, without
    calibration, its largest weight in the layers that give it, as in that paper. Where only depthwise layers read a
    channel its weights have a scale of their own, so that the whole imbalance moves there. Scales pass through
    residual sums, concatenations, slices and shuffles (see `channels`). `model` stays as it was.

    Raises:
        EngineError: ONNX Runtime refused the model or a frame.
    """
    work = ir.from_proto(onnx.shape_inference.infer_shapes(model))
    channels = find_channels(work)
    scales = np.ones(channels.count)
    peaks = _peaks(model, work, channels, calibration, frames, threads) if calibration is not None else None
    roots = channels.roots(np.arange(channels.count))
    for _ in range(ROUNDS if peaks is None else 1):
        step, known = _step(channels, roots, scales, peaks, balance)
        scales = _levelled(channels, roots, scales * step, known)
    scales[roots == 0] = 1
    changed = apply_scales(channels, scales)
    free = roots != 0
    turned = np.exp(np.abs(np.log(scales[free])))
    return ir.to_proto(work), Equalized(int(np.count_nonzero(turned > 1.001)), changed, float(turned.max(initial=1)))


def apply_scales(channels: Channels, scales: Array) -> int:
    """Divide and multiply the constants in place; `scales` [labels] > 0, used by root. Return how many changed."""
    changed = 0
    for name, (value, array, factor) in _factors(channels, scales).items():
        if (factor != 1).any():
            value.const_value = ir.tensor((array * factor).astype(np.float32).reshape(array.shape), name=name)
            changed += 1
    return changed


def _factors(channels: Channels, scales: Array) -> dict[str, tuple[ir.Value, NDArray[Any], Array]]:
    """Return each linked constant by name: the value, its array, and what to multiply it by."""
    found: dict[str, tuple[ir.Value, NDArray[Any], Array]] = {}
    for links, power in ((channels.divided, -1.0), (channels.multiplied, 1.0)):
        for link in links:
            array, name = constant(link.value), str(link.value.name)
            assert array is not None  # noqa: S101 - only constants are linked
            factor = _fit(scales[channels.roots(link.labels)] ** power, array)
            before = found[name][2] if name in found else np.ones(1)
            found[name] = (link.value, array, before * factor)
    return found


def _fit(labels: NDArray[Any], array: NDArray[Any]) -> NDArray[Any]:
    """Return labels with the rank of the array; a bias may be a row."""
    return labels.reshape([1] * (array.ndim - labels.ndim) + list(labels.shape))


def _step(
    channels: Channels, roots: Labels, scales: Array, peaks: Array | None, balance: float
) -> tuple[Array, NDArray[np.bool_]]:
    scaled = {name: np.abs(array * factor) for name, (_, array, factor) in _factors(channels, scales).items()}
    given = _reach(channels.divided, roots, scaled)
    free = [link for link in channels.multiplied if str(link.value.name) not in channels.depthwise]
    read = _reach(free, roots, scaled)
    reach = given if peaks is None else peaks
    power = np.where(read > 0, balance, 1.0)
    known = (reach > 0) & (roots != 0)
    step = np.ones(len(roots))
    step[known] = reach[known] ** power[known] / np.where(read[known] > 0, read[known], 1) ** (1 - power[known])
    return step, known


def _levelled(channels: Channels, roots: Labels, scales: Array, known: NDArray[np.bool_]) -> Array:
    """Return the scales with a geometric mean of one a layer, each within `WIDEST` of it."""
    together = _together(channels, roots)
    logs = np.log(np.where(known, scales, 1.0))
    for group in np.unique(together[roots != 0]):
        members = (together == group) & (roots == np.arange(len(roots)))
        if (members & known).any():
            logs[members & known] -= logs[members & known].mean()
    return np.asarray(np.exp(np.clip(np.where(known, logs, 0), -np.log(WIDEST), np.log(WIDEST)))[roots])


def _together(channels: Channels, roots: Labels) -> Labels:
    """Return for each label a number that all labels of one layer's outputs share."""
    number = np.arange(len(roots))
    moved = True
    blocks = [np.unique(roots[link.labels]) for link in channels.divided]
    blocks = [block[block != 0] for block in blocks]
    while moved:
        moved = False
        for block in blocks:
            if len(block) and (number[block] != number[block].min()).any():
                number[block] = number[block].min()
                moved = True
    return np.asarray(number[roots])


def _reach(links: Sequence[Link], roots: Labels, weights: Mapping[str, NDArray[Any]]) -> Array:
    """Return each label's largest weight; biases, which take the range of their layer, don't count."""
    found = np.zeros(len(roots))
    for link in links:
        array = weights[str(link.value.name)]
        if array.ndim > 1:
            labels = np.broadcast_to(roots[_fit(link.labels, array)], array.shape)
            np.maximum.at(found, labels.reshape(-1), array.reshape(-1))
    return np.asarray(found[roots])


def _peaks(
    model: onnx.ModelProto, work: ir.Model, channels: Channels, calibration: Calibration, frames: int, threads: int
) -> Array:
    """Return the largest magnitude seen in each label's channels, of values that another op than a rectifier reads."""
    watched = {}
    for value in values(work):
        labels = channels.roots(channels.of.get(str(value.name), np.zeros(1, np.int64)))
        if labels.any() and any(use.node.op_type not in RECTIFIERS for use in value.uses()):
            watched[str(value.name)] = labels
    found = np.zeros(channels.count)
    if not watched:
        return found
    simulator, sizes = Simulator(model, tuple(watched), threads), value_bytes(model)
    for feeds in Subset(calibration, frames):
        for names in chunks(tuple(watched), sizes):
            for name, array in zip(names, simulator.run(feeds, names), strict=True):
                labels = watched[name]
                around = tuple(i for i, size in enumerate(labels.shape) if size == 1)
                peak = np.maximum(array.max(axis=around, keepdims=True), -array.min(axis=around, keepdims=True))
                np.maximum.at(found, labels.reshape(-1), peak.reshape(-1))
    return np.asarray(found[channels.roots(np.arange(channels.count))])
