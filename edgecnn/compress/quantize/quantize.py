"""Quantize a float ONNX model by a scheme: plan, observe, choose ranges, place."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgecnn.compress.quantize.histogram import Histogram
from edgecnn.compress.quantize.observers import Feeds, observe
from edgecnn.compress.quantize.placement import Scale, place
from edgecnn.compress.quantize.plan import Plan, make_plan
from edgecnn.compress.quantize.ranges import Method, find_range, scale_and_zero, widen
from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.core.errors import InputError, StageError
from edgecnn.core.evidence import QuantizedTensor


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is quantized: range method, name patterns of nodes that stay in float, threads of the observer."""

    ranges: Method = "mse"
    keep_float: tuple[str, ...] = ()
    threads: int = 2


@dataclass(frozen=True, slots=True)
class QuantizeReport:
    """What was done: nodes in INT8, why each other one is not, every quantized tensor, and the frames observed."""

    quantized: tuple[str, ...]
    left_in_float: dict[str, str]
    tensors: dict[str, QuantizedTensor]
    frames: int


def quantize(
    model: onnx.ModelProto, scheme: Scheme, calibration: Iterable[Feeds], settings: Settings
) -> tuple[onnx.ModelProto, QuantizeReport]:
    """Return `model` in INT8 by `scheme`, and what was done. `model` stays as it was.

    `calibration` yields the model's inputs by name, one frame each, and is read once.

    Raises:
        InputError: the model's opset is older than the scheme needs, or the scheme finds nothing to quantize in it.
        DataError: no calibration frame, or one that gives NaN or infinity.
        StageError: the result is no valid ONNX model.
    """
    opset = next((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), 0)
    if opset < scheme.min_opset:
        raise InputError(f"scheme {scheme.name} needs opset {scheme.min_opset} or newer; the model has {opset}")
    work = named(model)
    plan = make_plan(work, scheme, settings.keep_float)
    if not plan.nodes:
        raise InputError(f"scheme {scheme.name} finds nothing to quantize: {_why(plan)}")
    observed = tuple(name for name in plan.tensors if name not in plan.pixels)
    histograms, frames = observe(ir.to_proto(work), observed, calibration, settings.threads)
    scales, tensors = _choose(plan, scheme, histograms, settings.ranges)
    place(work, scheme, plan, scales)
    RemoveUnusedNodesPass()(work)
    result = ir.to_proto(work)
    try:
        onnx.checker.check_model(result, full_check=True)
    except onnx.checker.ValidationError as error:
        raise StageError(f"scheme {scheme.name} gave an invalid model: {error}") from error
    return result, QuantizeReport(tuple(plan.nodes), plan.left_in_float, tensors, frames)


def named(model: onnx.ModelProto) -> ir.Model:
    """Return a copy of `model` on onnx_ir with shapes inferred, in which every node carries a name of its own."""
    work = ir.from_proto(onnx.shape_inference.infer_shapes(model))
    taken: set[str] = set()
    for index, node in enumerate(work.graph):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}.{index}"
        taken.add(node.name)
    return work


def _choose(
    plan: Plan, scheme: Scheme, histograms: dict[str, Histogram], method: Method
) -> tuple[dict[str, Scale], dict[str, QuantizedTensor]]:
    scales, tensors = {}, {}
    for group in plan.groups():
        if group[0] in plan.pixels:
            pixels = plan.pixels[group[0]]
            low, high = -float(pixels.mean), 255.0 - pixels.mean
            scales[group[0]] = Scale(np.float32(1), pixels.zero_point, pixels.dtype)
            tensors[group[0]] = QuantizedTensor(low, high, 1.0, pixels.zero_point, low, high)
            continue
        nonnegative = all(histograms[name].seen_min >= 0 for name in group)
        form = scheme.nonnegative if nonnegative else scheme.activation
        spans = [find_range(histograms[name], method, form) for name in group]
        low, high = widen(min(low for low, _ in spans), max(high for _, high in spans), form)
        scale, zero = scale_and_zero(low, high, form)
        for name in group:
            seen = histograms[name]
            scales[name] = Scale(scale, zero, form.dtype)
            tensors[name] = QuantizedTensor(low, high, float(scale), zero, seen.seen_min, seen.seen_max)
    return scales, tensors


def _why(plan: Plan) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in list(plan.left_in_float.items())[:3]) or "no such node"
