"""CUDA as far as an engine needs it: which GPU this is, a stream, and pinned host memory beside device memory."""

import ctypes
import math
from typing import Any, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError
from edgecnn.runtime.engines.tensorrt_sdk import asked, cudart


class Gpu(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The GPU that engines are built for: part of the key of what is cached.

    A Jetson's power mode can switch multiprocessors off, and then other kernels are the fastest. Its memory is no part
    of it: that is the system's, whose size what the kernel reserves makes vary.
    """

    name: str
    compute_capability: str
    multiprocessors: int


def this_gpu() -> Gpu:
    """Return what CUDA says of the thread's current GPU.

    Raises:
        EngineError: there is none that works; CUDA's own words say why.
    """
    if not asked(cudart.cudaGetDeviceCount(), "count GPUs"):
        raise EngineError("tensorrt: CUDA sees no GPU")
    device = asked(cudart.cudaGetDevice(), "tell its current GPU")
    told = asked(cudart.cudaGetDeviceProperties(device), "describe the GPU")
    name = told.name.decode(errors="replace") if isinstance(told.name, bytes) else str(told.name)
    capability = f"{told.major}.{told.minor}"
    return Gpu(name.strip("\0 "), capability, int(told.multiProcessorCount))


def cuda_versions() -> dict[str, str]:
    """Return the versions of CUDA that the driver and the Python module have, e.g. `12.6`."""
    found = {
        "cuda_driver": asked(cudart.cudaDriverGetVersion(), "tell the driver's version"),
        "cuda_runtime": asked(cudart.cudaRuntimeGetVersion(), "tell its version"),
    }
    return {key: f"{value // 1000}.{value % 1000 // 10}" for key, value in found.items()}


@final
class Stream:
    """A stream of its own, not the default one, which would wait for every other stream of the process."""

    def __init__(self) -> None:
        self._stream: Any = asked(cudart.cudaStreamCreateWithFlags(cudart.cudaStreamNonBlocking), "make a stream")
        self._graph: Any = None

    @property
    def handle(self) -> int:
        """The stream as TensorRT takes it."""
        return int(self._stream)

    def wait(self) -> None:
        """Return when all that was put on the stream is done."""
        asked(cudart.cudaStreamSynchronize(self._stream), "finish the inference")

    def copy(self, target: int, source: int, nbytes: int, kind: Any) -> None:
        """Put a copy on the stream; `kind` is one of CUDA's memcpy kinds."""
        asked(cudart.cudaMemcpyAsync(target, source, nbytes, kind, self._stream), "copy a tensor")

    def begin(self) -> None:
        """Record what this thread puts on the stream, instead of doing it."""
        # Thread-local: what other threads do with CUDA meanwhile must not break the capture.
        mode = cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        asked(cudart.cudaStreamBeginCapture(self._stream, mode), "begin a CUDA graph")

    def end(self) -> None:
        """Keep what was recorded, to be launched as one."""
        graph = asked(cudart.cudaStreamEndCapture(self._stream), "end a CUDA graph")
        try:
            self._graph = asked(cudart.cudaGraphInstantiate(graph, 0), "instantiate a CUDA graph")
        finally:
            cudart.cudaGraphDestroy(graph)

    def abandon(self) -> None:
        """End a recording that failed; the stream works again afterwards."""
        status, graph = cudart.cudaStreamEndCapture(self._stream)
        if status == cudart.cudaError_t.cudaSuccess:
            cudart.cudaGraphDestroy(graph)
        # A failed capture leaves its error behind for whoever asks next.
        cudart.cudaGetLastError()

    def launch(self) -> None:
        """Put what was recorded on the stream."""
        asked(cudart.cudaGraphLaunch(self._graph, self._stream), "launch the CUDA graph")

    def close(self) -> None:
        """Give the stream and its graph back."""
        if self._graph is not None:
            cudart.cudaGraphExecDestroy(self._graph)
        cudart.cudaStreamDestroy(self._stream)


@final
class Buffer:
    """A tensor twice: pinned on the host, where copies to and from the GPU need no detour, and on the device.

    Attributes:
        array: the host side, of the tensor's shape and dtype; gone once the buffer is closed.
        device: address on the device.
    """

    array: NDArray[Any]

    def __init__(self, shape: tuple[int, ...], dtype: str, nbytes: int = 0) -> None:
        self.nbytes = max(nbytes or math.prod(shape) * np.dtype(dtype).itemsize, 1)
        self.device = int(asked(cudart.cudaMalloc(self.nbytes), f"take {self.nbytes} bytes of device memory"))
        try:
            host = asked(cudart.cudaHostAlloc(self.nbytes, cudart.cudaHostAllocDefault), "take pinned host memory")
        except EngineError:
            cudart.cudaFree(self.device)
            raise
        self._host = int(host)
        memory = np.ctypeslib.as_array((ctypes.c_uint8 * self.nbytes).from_address(self._host))
        self.array = memory[: math.prod(shape) * np.dtype(dtype).itemsize].view(dtype).reshape(shape)

    def send(self, stream: Stream) -> None:
        """Put the copy to the device on the stream."""
        stream.copy(self.device, self._host, self.nbytes, cudart.cudaMemcpyKind.cudaMemcpyHostToDevice)

    def fetch(self, stream: Stream) -> None:
        """Put the copy from the device on the stream."""
        stream.copy(self._host, self.device, self.nbytes, cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost)

    def close(self) -> None:
        """Give both sides back; `array` must not be touched any more."""
        self.array = np.empty(0, np.uint8)
        cudart.cudaFree(self.device)
        cudart.cudaFreeHost(self._host)
