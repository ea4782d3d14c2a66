"""Run a float or QDQ model on ONNX Runtime as its graph is written: Q/DQ compute in float, nothing becomes integer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from edgecnn.compress.quantize.error import ErrorSum
from edgecnn.core.errors import EngineError, line_of

Array: TypeAlias = NDArray[Any]
Feeds: TypeAlias = Mapping[str, Array]

FETCH_BYTES = 256 << 20
"""Values fetched in one go. A model with more is run again for the rest, so that memory stays bounded."""


@runtime_checkable
class Calibration(Protocol):
    """Frames that can be gone through several times; each pass reads them anew, and none is held."""

    def __len__(self) -> int:
        """Return the number of frames."""
        ...

    def __iter__(self) -> Iterator[Feeds]:
        """Yield the model's inputs by name, one frame each."""
        ...


class Simulator:
    """A session that gives named tensors of a model, NumPy in and out.

    ONNX Runtime's own optimizer is on for the float arithmetic, and its Q/DQ fusions are off: an integer kernel would
    round at other places than the graph says. `optimize=False` turns the rest off as well; then a session is made in
    half the time and runs in twice the time, and sums in convolutions are taken in the graph's order.
    """

    def __init__(
        self, model: onnx.ModelProto, tensors: Sequence[str] = (), threads: int = 2, *, optimize: bool = True
    ) -> None:
        """Open `model`; `tensors` names any values of it, none for the graph's outputs.

        Raises:
            EngineError: ONNX Runtime refused the model, or has no tensor of that name.
        """
        self.names = tuple(tensors) or tuple(value.name for value in model.graph.output)
        self._session = open_session(show(model, self.names), threads, optimize=optimize)

    def run(self, feeds: Feeds, names: Sequence[str] = ()) -> list[Array]:
        """Return the tensors (or those of them in `names`) for one frame, in order.

        Raises:
            EngineError: ONNX Runtime refused the frame.
        """
        try:
            return list(self._session.run(list(names or self.names), dict(feeds)))
        except Exception as error:  # onnxruntime's own classes share no base with a name
            raise EngineError(f"ONNX Runtime refused a frame: {_one_line(error)}") from error


def show(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    """Return `model` with `tensors` among its outputs; the same object where they are already."""
    present = {value.name for value in model.graph.output}
    if present.issuperset(tensors):
        return model
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(tensors) if name not in present)
    return shown


def open_session(model: onnx.ModelProto, threads: int, *, optimize: bool = True) -> onnxruntime.InferenceSession:
    """Return a CPU session of `model` without Q/DQ fusions.

    Raises:
        EngineError: ONNX Runtime refused the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
            # It rounds float biases, at scales that underflow in float16.
            disabled_optimizers=["WeightBiasQuantization"],
        )
    except Exception as error:  # onnxruntime's own classes share no base with a name
        raise EngineError(f"ONNX Runtime refused the model: {_one_line(error)}") from error


def graph_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Return what `model` has to be fed; constants may stand among its graph's inputs too."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def value_bytes(model: onnx.ModelProto) -> dict[str, int]:
    """Return the bytes of each value whose shape the model states, as float32; an unknown size counts as 1."""
    known = {}
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        dims = [max(dim.dim_value, 1) for dim in value.type.tensor_type.shape.dim]
        known[value.name] = 4 * int(np.prod(dims, dtype=np.int64))
    return known


def chunks(tensors: Sequence[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield the tensors in parts of at most `FETCH_BYTES`, or one tensor that is larger."""
    chunk: list[str] = []
    total = 0
    for name in tensors:
        size = sizes.get(name, 0)
        if chunk and total + size > FETCH_BYTES:
            yield chunk
            chunk, total = [], 0
        chunk.append(name)
        total += size
    if chunk:
        yield chunk


class Subset:
    """At most `count` frames of a calibration, evenly spread; the rest is read past, not held."""

    def __init__(self, calibration: Calibration, count: int, start: int = 0) -> None:
        """Take every k-th frame from `start` on, so that two subsets of other starts share no frame."""
        self._calibration, self._start = calibration, start
        self._step = max(1, len(calibration) // max(count, 1))
        self._count = min(count, len(range(start, len(calibration), self._step)))

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._count

    def __iter__(self) -> Iterator[Feeds]:
        """Yield the frames."""
        left = self._count
        for index, feeds in enumerate(self._calibration):
            if left == 0:
                return
            if index >= self._start and (index - self._start) % self._step == 0:
                left -= 1
                yield feeds


def outputs(model: onnx.ModelProto, frames: Iterable[Feeds], threads: int = 2) -> list[list[Array]]:
    """Return the graph's outputs frame by frame; meant for a handful of frames, all of which are held."""
    simulator = Simulator(model, (), threads)
    return [simulator.run(feeds) for feeds in frames]


def output_error(reference: Sequence[Sequence[Array]], got: Sequence[Sequence[Array]]) -> float:
    """Return the root mean square, over the graph's float outputs, of each one's relative error over all frames."""
    if not reference:
        return 0.0
    totals = [ErrorSum() for _ in reference[0]]
    for want, have in zip(reference, got, strict=True):
        for total, first, second in zip(totals, want, have, strict=True):
            if np.issubdtype(first.dtype, np.floating):
                total.add(first, second)
    known = [total.relative**2 for total in totals if total.signal > 0]
    return float(np.sqrt(np.mean(known))) if known else 0.0


def _one_line(error: Exception) -> str:
    return line_of(error)
