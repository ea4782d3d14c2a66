"""LiteRT (once TensorFlow Lite) with its XNNPACK delegate."""

import base64
import threading
import zlib
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final, final

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError
from edgecnn.core.tensor import TensorSpec, check_feeds
from edgecnn.runtime.engines.checks import boolean, check_options, check_tensors, one_line, positive, still_open

_OPTIONS = {
    "threads": (positive, "a whole number above 0"),
    "xnnpack": (boolean, "true or false"),
}
_IDENTIFIER = b"TFL3"
# A flatbuffer of one operator, y = Relu(x), x and y float32 [1, 4]: tests/runtime/test_litert.py writes the same bytes.
_RELU = zlib.decompress(
    base64.b85decode(
        "c-n1IOA5j;5PfQ}L5m6&ap5i8x)gEY!i9S&wiZFV@JD+Cmma{Sr}8rOC7D7HCp;$ec`q|$0${UPO(RS&MuY)EXc$wBz#Q--Uc{StG=LU89ea&+gr"
        "j%^Z=ez|Bl^T8J>L&`woTG~d^=t(&-7^FXwg#QOYx!AZrh%=S1-hCn^QI)5NVR7yF9nG$Z~t$K8lgco7tAcidc*8DL&-"
        "**~!i5cG5CW!vp@rO=2#ZpQ@@%$>)~RQ|}9m?0k?noCVA}d7oSSaO+t^p050t=^Z-m@C)#6888"
    )
)
_DEFAULT_THREADS = 1


@final
class LiteRtEngine:
    """An interpreter; `infer` may be called from many threads, which take turns: it holds one set of tensors."""

    def __init__(
        self,
        interpreter: Interpreter,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        facts: Mapping[str, Any],
    ) -> None:
        self.name: Final = "litert"
        self.inputs = inputs
        self.outputs = outputs
        self._interpreter: Interpreter | None = interpreter
        self._facts = facts
        self._taken = {one["name"]: one["index"] for one in interpreter.get_input_details()}
        self._given = {one["name"]: one["index"] for one in interpreter.get_output_details()}
        self._lock = threading.Lock()

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network once; the arrays returned are the caller's own.

        Raises:
            TensorError: an input's name, shape, dtype or values are not as `inputs` says.
            EngineError: LiteRT failed, or the engine is closed.
        """
        check_feeds(self.inputs, feeds)
        with self._lock:
            interpreter = self._open_interpreter()
            try:
                for name, feed in feeds.items():
                    interpreter.set_tensor(self._taken[name], feed)
                interpreter.invoke()
                return {spec.name: interpreter.get_tensor(self._given[spec.name]) for spec in self.outputs}
            except (RuntimeError, ValueError) as error:
                raise EngineError(f"litert: {one_line(error)}") from error

    def facts(self) -> dict[str, Any]:
        """Return version, threads, and which operators run outside the XNNPACK delegate."""
        self._open_interpreter()
        return dict(self._facts)

    def close(self) -> None:
        """Give back memory and threads."""
        with self._lock:
            self._interpreter = None

    def _open_interpreter(self) -> Interpreter:
        return still_open(self.name, self._interpreter)


def open_engine(
    files: Mapping[str, bytes],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    options: Mapping[str, Any],
) -> LiteRtEngine:
    """Load the `.tflite` bytes that come first in `files`.

    Options: `threads` (int; default 1, LiteRT's own) and `xnnpack` (bool; default true: false runs LiteRT's plain
    kernels instead, to tell whose fault a difference is).

    Raises:
        InputError: an option that is not known.
        EngineError: LiteRT refused the network, or its tensors are not those given.
    """
    check_options("litert", options, _OPTIONS)
    data = next(iter(files.values()))
    threads = options.get("threads", _DEFAULT_THREADS)
    xnnpack = options.get("xnnpack", True)
    if data[4:8] != _IDENTIFIER:
        raise EngineError("litert: the file is no TFLite flatbuffer; compile the bundle again")
    kernels = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(model_content=data, num_threads=threads, experimental_op_resolver_type=kernels)
        interpreter.allocate_tensors()
        check_tensors("litert", "input", inputs, _tensors(interpreter.get_input_details()))
        check_tensors("litert", "output", outputs, _tensors(interpreter.get_output_details()))
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"litert refused the network: {one_line(error)}") from error
    facts = {"engine": "litert", "version": version("ai-edge-litert"), "threads": threads, "xnnpack": xnnpack}
    return LiteRtEngine(interpreter, inputs, outputs, facts)


def probe() -> dict[str, bytes]:
    """Return the files of y = Relu(x), x and y float32 [1, 4]."""
    return {"model.tflite": _RELU}


def _tensors(details: list[dict[str, Any]]) -> dict[str, tuple[list[Any], str]]:
    return {one["name"]: (one["shape"].tolist(), np.dtype(one["dtype"]).name) for one in details}
