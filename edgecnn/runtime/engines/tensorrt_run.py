"""One execution context of an engine, with its stream, its buffers and, if it can be captured, its CUDA graph."""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError, TensorError
from edgecnn.core.tensor import TensorSpec
from edgecnn.runtime.engines.checks import check_tensors
from edgecnn.runtime.engines.tensorrt_cuda import Buffer, Stream
from edgecnn.runtime.engines.tensorrt_sdk import LOG, made, refusal, trt

_DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
}
_NARROWED = {"int64": "int32", "float64": "float32"}
"""What TensorRT makes of a type that it hasn't got: INT64 before 10, double always."""


@final
class Run:
    """Runs one inference at a time; whoever shares it among threads holds a lock.

    Attributes:
        graph: whether an inference is launched as one CUDA graph.
        why_no_graph: what kept it from that, empty if nothing did or none was wanted.
    """

    def __init__(
        self, engine: Any, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], *, graph: bool
    ) -> None:
        self._inputs, self._outputs = inputs, outputs
        self._buffers: dict[str, Buffer] = {}
        self.graph, self.why_no_graph = False, ""
        self._context: Any = None
        self._closed = False
        check_tensors("tensorrt", "input", inputs, _tensors(engine, trt.TensorIOMode.INPUT, inputs))
        check_tensors("tensorrt", "output", outputs, _tensors(engine, trt.TensorIOMode.OUTPUT, outputs))
        self._stream = Stream()
        try:
            self._context = made("execution context", engine.create_execution_context)
            self._bind(engine)
            if graph:
                self._capture()
        except EngineError:
            self.close()
            raise

    def __call__(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run once; `feeds` were checked. The arrays returned are the caller's own."""
        for spec in self._inputs:
            _fill(self._buffers[spec.name].array, feeds[spec.name], spec.name)
        if self.graph:
            self._stream.launch()
        else:
            self._enqueue()
        self._stream.wait()
        return {spec.name: self._buffers[spec.name].array.astype(spec.dtype, copy=True) for spec in self._outputs}

    def profile(self, profiler: Any) -> None:
        """Have every layer's time reported to `profiler` from now on, which makes inferences slower."""
        self._context.profiler = profiler

    def close(self) -> None:
        """Give back context, buffers and stream, in this order: the context holds addresses of the buffers."""
        if self._closed:
            return
        self._closed = True
        self._context = None
        for buffer in self._buffers.values():
            buffer.close()
        self._buffers.clear()
        self._stream.close()

    def _bind(self, engine: Any) -> None:
        """Fix every shape, then give every tensor its address; both stay, so that a captured graph holds for good."""
        for spec in self._inputs:
            mark = LOG.mark()
            if not self._context.set_input_shape(spec.name, spec.shape):
                raise refusal(f"input '{spec.name}' can't be of shape {list(spec.shape)}", mark)
        if missing := list(made("shapes", self._context.infer_shapes)):
            raise EngineError(f"tensorrt: shapes can't be told before the inference runs; it lacks {missing}")
        wanted = {spec.name: spec for spec in self._outputs}
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            shape = tuple(int(size) for size in self._context.get_tensor_shape(name))
            if name in wanted and shape != wanted[name].shape:
                raise EngineError(
                    f"tensorrt: the manifest says output '{name}' is {wanted[name].describe()}; it is {list(shape)}"
                )
            self._buffers[name] = self._buffer(engine, name, shape)
            mark = LOG.mark()
            if not self._context.set_tensor_address(name, self._buffers[name].device):
                raise refusal(f"tensor '{name}' can't be given its memory", mark)

    def _buffer(self, engine: Any, name: str, shape: tuple[int, ...]) -> Buffer:
        if engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
            raise EngineError(f"tensorrt: '{name}' holds shapes, not data; export the model with fixed shapes")
        if min(shape, default=1) >= 0:
            return Buffer(shape, _dtype(engine, name))
        # An output that nobody asked for, of a size that only the data decide.
        return Buffer((0,), _dtype(engine, name), self._context.get_max_output_size(name))

    def _enqueue(self) -> None:
        for spec in self._inputs:
            self._buffers[spec.name].send(self._stream)
        mark = LOG.mark()
        if not self._context.execute_async_v3(self._stream.handle):
            raise refusal("the inference can't be put on the stream", mark)
        for spec in self._outputs:
            self._buffers[spec.name].fetch(self._stream)

    def _capture(self) -> None:
        """Capture an inference, its copies included; where that can't be done, inferences run without."""
        for spec in self._inputs:
            self._buffers[spec.name].array[...] = 0
        # TensorRT allocates on the first inference, which a capture would not allow.
        self._enqueue()
        self._stream.wait()
        try:
            self._stream.begin()
            self._enqueue()
            self._stream.end()
        except EngineError as error:
            self._stream.abandon()
            self.why_no_graph = str(error)
        else:
            self.graph = True


@final
class LayerClock(trt.IProfiler):  # type: ignore[misc]  # TensorRT has no types
    """Collects what each layer took, in milliseconds, one number an inference."""

    def __init__(self) -> None:
        trt.IProfiler.__init__(self)
        self.times_ms: dict[str, list[float]] = {}

    def report_layer_time(self, layer_name: str, ms: float) -> None:
        """Take a layer's time; TensorRT calls this for every layer after each inference."""
        self.times_ms.setdefault(layer_name, []).append(float(ms))


def _fill(target: NDArray[Any], feed: NDArray[Any], name: str) -> None:
    if feed.dtype != target.dtype and feed.dtype.kind == "i" and feed.size:
        bounds = np.iinfo(target.dtype)
        if int(feed.min()) < bounds.min or int(feed.max()) > bounds.max:
            raise TensorError(f"input '{name}' holds numbers beyond {target.dtype.name}, which this TensorRT takes")
    np.copyto(target, feed, casting="same_kind")


def _tensors(engine: Any, mode: Any, specs: tuple[TensorSpec, ...]) -> dict[str, tuple[list[Any], str]]:
    """Return the engine's inputs or outputs by name, types narrowed by TensorRT given back where a spec has them."""
    wide = {spec.name: spec.dtype for spec in specs if spec.dtype in _NARROWED}
    found: dict[str, tuple[list[Any], str]] = {}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        if engine.get_tensor_mode(name) == mode:
            shape = [int(size) if size >= 0 else "?" for size in engine.get_tensor_shape(name)]
            dtype = _dtype(engine, name)
            found[name] = (shape, wide[name] if _NARROWED.get(wide.get(name, "")) == dtype else dtype)
    return found


def _dtype(engine: Any, name: str) -> str:
    told = str(engine.get_tensor_dtype(name).name)
    return _DTYPES.get(told, told.lower())
