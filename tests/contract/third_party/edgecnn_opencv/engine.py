"""OpenCV's DNN module on the CPU, one network at a time: the number of threads is the process's, not the network's."""

import threading
from collections.abc import Mapping
from typing import Any, final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError
from edgecnn.core.tensor import TensorSpec, check_feeds
from edgecnn.runtime.engines.checks import check_options, check_tensors, one_line, positive

Specs = tuple[TensorSpec, ...]
_ALONE = threading.Lock()


@final
class OpenCvEngine:
    """A network in OpenCV; `infer` may be called from many threads, which take turns."""

    name = "opencv"

    def __init__(self, net: Any, inputs: Specs, outputs: Specs, threads: int) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._net, self._threads = net, threads

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network once; the arrays returned are the caller's own."""
        check_feeds(self.inputs, feeds)
        names = [spec.name for spec in self.outputs]
        with _ALONE:
            net, before = self._open_net(), cv2.getNumThreads()
            cv2.setNumThreads(self._threads)
            try:
                for name, feed in feeds.items():
                    net.setInput(np.ascontiguousarray(feed), name)
                results = net.forward(names)
            except cv2.error as error:
                raise EngineError(f"opencv: {one_line(error)}") from error
            finally:
                cv2.setNumThreads(before)
            return {
                spec.name: np.array(result).reshape(spec.shape)
                for spec, result in zip(self.outputs, results, strict=True)
            }

    def facts(self) -> dict[str, Any]:
        """Return version and threads."""
        self._open_net()
        return {"engine": self.name, "version": cv2.__version__, "device": "CPU", "threads": self._threads}

    def close(self) -> None:
        """Give back the network."""
        with _ALONE:
            self._net = None

    def _open_net(self) -> Any:
        net = self._net
        if net is None:
            raise EngineError("opencv: this engine was closed; load the bundle again")
        return net


def open_engine(files: Mapping[str, bytes], inputs: Specs, outputs: Specs, options: Mapping[str, Any]) -> OpenCvEngine:
    """Load model.onnx and tensors.json. Option: `threads` (int; default OpenCV's own)."""
    check_options("opencv", options, {"threads": (positive, "a whole number above 0")})
    try:
        taken, given = msgspec.json.decode(files["tensors.json"], type=tuple[Specs, Specs])
        net = cv2.dnn.readNetFromONNX(memoryview(next(iter(files.values()))))
    except (KeyError, StopIteration, msgspec.MsgspecError, cv2.error) as error:
        raise EngineError(f"opencv refused the network: {one_line(error)}") from error
    check_tensors("opencv", "input", inputs, _described(taken))
    check_tensors("opencv", "output", outputs, _described(given))
    return OpenCvEngine(net, inputs, outputs, options.get("threads", cv2.getNumThreads()))


def _described(specs: Specs) -> dict[str, tuple[list[Any], str]]:
    return {spec.name: (list(spec.shape), spec.dtype) for spec in specs}
