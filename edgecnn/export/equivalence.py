"""Whether two models are one: both run in ONNX Runtime on the same random inputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from edgecnn.core.errors import InputError, line_of

Feeds = dict[str, NDArray[Any]]
Outputs = list[NDArray[Any]]

SEED = 20
FLIPS = 0.01
"""What part of a whole-number output may differ: rounding decides a near tie of an ArgMax either way."""
AMPLIFIED = 1e-2
"""The most that a model may make of rounding by itself and still be compared."""
_FATAL_ONLY = 4


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether two models give the same, their largest relative difference, and what has to be said about it."""

    holds: bool
    error: float
    remarks: tuple[str, ...] = ()


@final
class Reference:
    """A model's answers to seeded random inputs, which others are held against.

    They are computed with ONNX Runtime's optimizer off: what the file says, not what an optimizer made of it.

    Attributes:
        outputs: for each frame the outputs in the model's order.

    Raises:
        InputError: ONNX Runtime can't run the model.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._feeds = random_feeds(model)
        self.outputs = answers(model, self._feeds, optimize=False)

    def agree(self, other: onnx.ModelProto, limit: float) -> Agreement:
        """Compare; `other` may take float32 where the reference takes another float type.

        Where they differ by more than `limit`, the bar is how far the reference moves when only its own rounding
        changes: with ONNX Runtime's optimizer on, and with its inputs moved by a millionth. Deep untrained networks
        and decisions between near ties amplify rounding; up to 1% that is allowed for, times 4, and said.

        Raises:
            InputError: ONNX Runtime can't run `other`.
        """
        kinds = {value.name: tensor_dtype(value) for value in given(other)}
        error = difference(self.outputs, answers(other, [_as(kinds, feed) for feed in self._feeds]))
        if error <= limit:
            return Agreement(holds=True, error=error)
        rounding = difference(self.outputs, answers(self._model, self._feeds))
        moved = difference(self.outputs, answers(self._model, [_moved(feed) for feed in self._feeds], optimize=False))
        noise = max(rounding, moved)
        if noise > AMPLIFIED or error > 4 * noise:
            return Agreement(holds=False, error=error)
        return Agreement(
            holds=True,
            error=error,
            remarks=(f"compared to {4 * noise:.1e}: the model amplifies rounding by itself",),
        )


def random_feeds(model: onnx.ModelProto, frames: int = 2) -> list[Feeds]:
    """Return seeded inputs for a model of fixed shapes: floats in [0, 1), then in [-1, 1); bytes of all values.

    Other whole numbers are 0 or 1: a size or an index has to stay small.
    """
    rng = np.random.default_rng(SEED)
    return [
        {value.name: _random(rng, value, signed=bool(frame % 2)) for value in given(model)} for frame in range(frames)
    ]


def given(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that have to be fed: those that no initializer fills."""
    filled = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in filled]


def answers(
    model: onnx.ModelProto, feeds: Sequence[Feeds], *, optimize: bool = True, threads: int = 2
) -> list[Outputs]:
    """Return the model's outputs for each of `feeds`.

    Raises:
        InputError: ONNX Runtime can't load or run the model.
    """
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = threads
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return [session.run(None, one) for one in feeds]
    except Exception as error:
        raise InputError(f"ONNX Runtime can't run the model: {line_of(error)}") from error


def difference(one: Sequence[Outputs], other: Sequence[Outputs]) -> float:
    """Return the largest ||other - one|| / ||one|| of any output over all frames; infinity if they can't be compared.

    NaN and infinity must stand in the same places. Whole numbers and booleans count as 0 if at most 1% differ.
    """
    return max(
        (_distance(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True)), default=0.0
    )


def _distance(one: Any, other: Any) -> float:
    if isinstance(one, list) or isinstance(other, list):
        return max((_distance(a, b) for a, b in zip(one, other, strict=True)), default=0.0)
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or (one.dtype.kind == "f") != (other.dtype.kind == "f"):
        return float("inf")
    if one.dtype.kind != "f":
        return 0.0 if one.size == 0 or float(np.mean(one != other)) <= FLIPS else float("inf")
    left, right = one.astype(np.float64), other.astype(np.float64)
    usual = np.isfinite(left) & np.isfinite(right)
    if not np.array_equal(left[~usual], right[~usual], equal_nan=True):
        return float("inf")
    norm = float(np.linalg.norm(left[usual]))
    gap = float(np.linalg.norm(left[usual] - right[usual]))
    return gap / norm if norm > 0 else gap


def tensor_dtype(value: onnx.ValueInfoProto) -> np.dtype[Any]:
    """Return the NumPy type of a tensor input."""
    if value.type.WhichOneof("value") != "tensor_type":
        raise InputError(f"input '{value.name}' is no tensor; only tensors can be fed")
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


def _as(kinds: dict[str, np.dtype[Any]], feed: Feeds) -> Feeds:
    return {name: array.astype(kinds[name]) for name, array in feed.items()}


def _moved(feed: Feeds) -> Feeds:
    return {
        name: array * array.dtype.type(1 + 1e-6) if array.dtype.kind == "f" else array for name, array in feed.items()
    }


def _random(rng: np.random.Generator, value: onnx.ValueInfoProto, *, signed: bool) -> NDArray[Any]:
    shape = tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
    dtype = tensor_dtype(value)
    if dtype.kind == "f":
        return np.asarray(rng.uniform(-1.0 if signed else 0.0, 1.0, shape)).astype(dtype)
    high = 256 if dtype == np.uint8 else 2
    return np.asarray(rng.integers(0, high, shape)).astype(dtype)
