"""Learned rounding: each layer's integers and bias fitted so that it answers quantized inputs as float ones."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from edgecnn.compress.quantize.correction.lattice import descend, is_2_4, round_by_columns
from edgecnn.compress.quantize.correction.placed import Placed, PlacedLayer
from edgecnn.compress.quantize.correction.unfold import Unfolded, unfold
from edgecnn.compress.quantize.correction.walk import Walk, live_bytes
from edgecnn.compress.quantize.simulate import Calibration, Subset, value_bytes
from edgecnn.core.errors import DataError
from edgecnn.core.progress import bar

Array = NDArray[Any]
RIDGE = 0.1
"""How strongly weights are held where they were, in means of the inputs' second moments. Trying a tenth and ten times
of it for each layer gains nothing on a detector of 70 convolutions, and takes three times as long."""
OUT_OF_TIME = "time is up"
DAMPING = 0.01
LEAST_GAIN = 0.005
"""A layer is changed only if its error on frames it was not fitted to falls by this share."""
MOST_WORK = 4e11
"""Multiplications a layer may take; beyond that (a dense 3x3 layer of 1,000 channels) it stays as it is."""
MEMORY = 1 << 30
"""Bytes of activations held at once, of both networks together; large frames mean fewer of them."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """One layer: its relative output error on frames it was not fitted to, before and after.

    `reason` says why it stayed as it was, and is empty if it changed; errors that were not measured are NaN.
    """

    name: str
    before: float
    after: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a reconstruction may take.

    Attributes:
        frames: calibration frames used, three in four to fit and the fourth to check.
        seconds: after that time, remaining layers stay as they are.
        rows: least rows of inputs a layer is fitted to; four a fitted weight where that is more.
        threads: of ONNX Runtime.
        weights: whether integers may change; if not, only biases do.
    """

    frames: int = 32
    seconds: float = 60.0
    rows: int = 4096
    threads: int = 2
    weights: bool = True


def reconstruct(
    float_model: onnx.ModelProto, quantized: onnx.ModelProto, calibration: Calibration, budget: Budget
) -> tuple[onnx.ModelProto, list[Fitted]]:
    """Return `quantized` with other integers and biases at the scales it has, and what was done to each layer.

    Layer by layer in the graph's order, with the inputs the quantized network gives it and the float network's
    outputs as target: least squares held near the weights by a ridge, then second-order rounding (see `lattice`). So
    a layer also makes up for what the activations before it lost. Nodes and their results carry the same names in
    both models. Both stay as they were.

    Raises:
        DataError: there is no calibration frame.
        EngineError: ONNX Runtime refused a model or a frame.
    """
    ends = time.monotonic() + budget.seconds
    result = onnx.ModelProto()
    result.CopyFrom(quantized)
    placed = Placed(result)
    live = 2 * live_bytes(float_model, value_bytes(float_model))
    frames = list(Subset(calibration, int(np.clip(MEMORY // max(live, 1), 4, budget.frames))))
    if not frames:
        raise DataError("no calibration frame was given; correcting INT8 weights needs at least one, better 32")
    there, here = Walk(float_model, frames, budget.threads), Walk(result, frames, budget.threads)
    twins = {node.name: node.output[0] for node in float_model.graph.node if node.output}
    done: list[Fitted] = []
    with bar("fit rounding" if budget.weights else "correct biases", len(placed.layers)) as shown:
        for number, layer in enumerate(placed.layers):
            name, target = layer.node.name, layer.node.output[0]
            if time.monotonic() > ends:
                done.append(_untouched(name, OUT_OF_TIME))
            elif twins.get(name) != target:
                done.append(_untouched(name, "the float model has no such layer"))
            else:
                given, want = here.reach(layer.node.input[0]), there.reach(target)
                done.append(_fit(placed, layer, given, want, budget, number))
            shown.advance()
    return result, done


def _untouched(name: str, reason: str) -> Fitted:
    return Fitted(name, np.nan, np.nan, reason)


def _fit(
    placed: Placed, layer: PlacedLayer, given: Sequence[Array], want: Sequence[Array], budget: Budget, seed: int
) -> Fitted:
    name, integers = layer.node.name, placed.integers(layer)
    form = unfold(layer.node, integers.shape, given[0].shape, want[0].shape)
    if form is None:
        return _untouched(name, "no product of rows")
    groups, outputs, width = form.rows(integers).shape
    count = max(budget.rows, 4 * width)
    if float(width) ** 2 * groups * (count + 5 * outputs) > MOST_WORK:
        return _untouched(name, "too large")
    problem = _Problem(form, placed, layer, _Rows(form, given, want, count, seed))
    before = problem.error(problem.integers, problem.bias)
    tried = [(problem.integers, problem.bias_for(problem.integers))] if problem.has_bias else []
    if budget.weights:
        fitted = problem.fit()
        tried.append((fitted, problem.bias_for(fitted)))
    errors = [problem.error(*candidate) for candidate in tried]
    if not errors or min(errors) >= before * (1 - LEAST_GAIN):
        return Fitted(name, before, before, "no gain" if errors else "it has no bias")
    integers, bias = tried[int(np.argmin(errors))]
    if problem.has_bias and not placed.set_bias(layer, bias.reshape(-1)):
        return Fitted(name, before, before, "its bias would not fit int32")
    placed.set_integers(layer, form.back(integers.astype(np.int32)))
    return Fitted(name, before, min(errors))


class _Rows:
    """Inputs and targets as rows: `x`, `y` to fit to, `x_check`, `y_check` from other frames to check on."""

    def __init__(self, form: Unfolded, given: Sequence[Array], want: Sequence[Array], count: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        checked = [i for i in range(len(given)) if i % 4 == 3] or [len(given) - 1]
        fitted = [i for i in range(len(given)) if i not in checked] or checked
        self.x, self.y = form.sample([given[i] for i in fitted], [want[i] for i in fitted], count, rng)
        check = form.sample([given[i] for i in checked], [want[i] for i in checked], count // 3, rng)
        self.x_check, self.y_check = check


class _Problem:
    """One layer; integers are [groups, outputs, inputs a row], biases [groups, 1, outputs], both as float64."""

    def __init__(self, form: Unfolded, placed: Placed, layer: PlacedLayer, rows: _Rows) -> None:
        stored, bias = placed.integers(layer), placed.bias(layer)
        self.rows, self.limit = rows, placed.limit
        self.integers = form.rows(stored).astype(np.float64)
        # Zeros of a 2:4 pattern are what an engine skips.
        self.free = self.integers != 0 if is_2_4(stored) else np.ones(self.integers.shape, np.bool_)
        self.scale = form.rows(np.broadcast_to(placed.scales(layer), stored.shape))[:, :, :1]
        groups, outputs, _ = self.integers.shape
        self.has_bias = bias is not None
        values = np.zeros(1) if bias is None else bias
        self.bias = np.broadcast_to(values.reshape(-1), (groups * outputs,)).reshape(groups, 1, outputs)

    def fit(self) -> Array:
        """Return the integers of the ridge regression's weights, rounded by second order."""
        x, y = self.rows.x, self.rows.y - self.bias
        if self.has_bias:
            x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
        count, width = x.shape[1:]
        moment = np.swapaxes(x, 1, 2) @ x / count
        mean = np.trace(moment, axis1=1, axis2=2)[:, None, None] / width + 1e-12
        start = self.integers * self.scale
        miss = np.swapaxes(y - x @ np.swapaxes(start, 1, 2), 1, 2) @ x / count
        weights = start + miss @ np.linalg.inv(moment + RIDGE * mean * np.eye(width))
        damped = moment + DAMPING * mean * np.eye(width)
        integers = round_by_columns(weights, self.scale, damped, self.limit, self.free)
        return descend(integers, weights, self.scale, damped, self.limit, self.free)

    def bias_for(self, integers: Array) -> Array:
        """Return the bias that leaves no mean error on the fitted rows; the one there is, of a layer without."""
        if not self.has_bias:
            return self.bias
        return np.asarray((self.rows.y - self._product(self.rows.x, integers)).mean(axis=1, keepdims=True))

    def error(self, integers: Array, bias: Array) -> float:
        """Return the relative error of the outputs on the rows to check on."""
        off = self._product(self.rows.x_check, integers) + bias - self.rows.y_check
        signal = float(np.linalg.norm(self.rows.y_check))
        return float(np.linalg.norm(off)) / signal if signal else 0.0

    def _product(self, x: Array, integers: Array) -> Array:
        return np.asarray(x @ np.swapaxes(integers * self.scale, 1, 2))
