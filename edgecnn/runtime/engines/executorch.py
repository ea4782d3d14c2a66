"""ExecuTorch on the CPU: XNNPACK and portable kernels.

The one engine whose Python runtime is made of torch: its extension module links against it and takes and gives nothing
but torch tensors. On a device without Python the same program runs from C++ without torch.
"""

# ruff: noqa: SLF001 - ExecuTorch's whole Python face is underscored

import threading
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final, final

import msgspec
import numpy as np
import torch

# The public `executorch.runtime` brings the compiler with it: seconds of imports, for the same functions.
from executorch.extension.pybindings import _C as runtime  # noqa: N811 - a module
from numpy.typing import NDArray

from edgecnn.core.errors import EngineError
from edgecnn.core.tensor import TensorSpec, check_feeds
from edgecnn.runtime.engines.checks import check_options, check_tensors, one_line, positive, still_open
from edgecnn.runtime.engines.executorch_files import Description
from edgecnn.runtime.engines.executorch_probe import RELU

_OPTIONS = {"threads": (positive, "a whole number above 0")}
_METHOD = "forward"
_DTYPES = {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "float16",
    6: "float32",
    7: "float64",
    11: "bool",
}
"""ExecuTorch's codes of element types (its schema's ScalarType)."""


@final
class _Pool:
    """XNNPACK's threads, which all programs of the process share.

    A loaded program keeps a pointer to the pool it was loaded with. Another number of threads is another pool, so that
    every program has to be loaded anew before it runs again; `generation` tells.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.usual: int = runtime._threadpool_get_thread_count()
        self.generation = 0

    def settle(self, threads: int) -> None:
        """See that the pool has `threads` threads; the lock must be held."""
        if self.threads() != threads:
            runtime._unsafe_reset_threadpool(threads)
            self.generation += 1

    def threads(self) -> int:
        """Return the number in force."""
        return int(runtime._threadpool_get_thread_count())


_POOL = _Pool()


@final
class ExecuTorchEngine:
    """A program in ExecuTorch; `infer` may be called from many threads, they wait for one another."""

    def __init__(
        self,
        data: bytes,
        description: Description,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        threads: int,
    ) -> None:
        self.name: Final = "executorch"
        self.inputs = inputs
        self.outputs = outputs
        self._data: bytes | None = data
        self._description = description
        self._threads = threads
        self._generation = -1
        self._module: Any = None
        with _POOL.lock:
            module = self._loaded()
            _check(_meta(module), description, inputs, outputs)

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network once; the arrays returned are the caller's own.

        Raises:
            TensorError: an input's name, shape, dtype or values are not as `inputs` says.
            EngineError: ExecuTorch failed, or the engine is closed.
        """
        check_feeds(self.inputs, feeds)
        # torch warns of arrays that can't be written to, and takes no negative strides.
        arrays = [np.require(feeds[name], requirements=["C", "W"]) for name in self._description.inputs]
        with _POOL.lock:
            module = self._loaded()
            try:
                results = module.run_method(_METHOD, tuple(torch.from_numpy(array) for array in arrays))
            except RuntimeError as error:
                raise EngineError(f"executorch: {one_line(error)}") from error
        found = dict(zip(self._description.outputs, results, strict=True))
        return {spec.name: found[spec.name].numpy() for spec in self.outputs}

    def facts(self) -> dict[str, Any]:
        """Return version, threads in force, and how many operators XNNPACK runs and which ones it does not."""
        with _POOL.lock:
            self._loaded()
            return {
                "engine": self.name,
                "version": version("executorch"),
                "device": "CPU",
                "threads": _POOL.threads(),
                "delegates": self._description.delegates,
                "delegated_operators": sum(self._description.delegated.values()),
                "portable_operators": dict(self._description.portable),
            }

    def close(self) -> None:
        """Give back the program and its memory; the threads stay, for they are the process's."""
        with _POOL.lock:
            self._data = self._module = None

    def _loaded(self) -> Any:
        """Return the program, loaded for the pool in force; the lock must be held."""
        data = still_open(self.name, self._data)
        if self._module is not None and self._generation == _POOL.generation and _POOL.threads() == self._threads:
            return self._module
        self._module = None
        _POOL.settle(self._threads)
        try:
            self._module = runtime._load_for_executorch_from_buffer(data)
        except RuntimeError as error:
            raise EngineError(f"executorch refused the network: {one_line(error)}") from error
        self._generation = _POOL.generation
        return self._module


def open_engine(
    files: Mapping[str, bytes],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    options: Mapping[str, Any],
) -> ExecuTorchEngine:
    """Load the `.pte` bytes that come first in `files`; `model.json` beside them names inputs and outputs.

    Options: `threads` (int; default ExecuTorch's, one a fast core). The threads are the process's: engines that ask for
    different numbers are loaded anew each time they take turns.

    Raises:
        InputError: an option that is not known.
        EngineError: ExecuTorch refused the network, or its tensors are not those given.
    """
    check_options("executorch", options, _OPTIONS)
    data, *others = files.values()
    try:
        description = msgspec.json.decode(others[0], type=Description)
    except (IndexError, msgspec.MsgspecError) as error:
        raise EngineError("executorch refused the network: no model.json beside it names its tensors") from error
    return ExecuTorchEngine(data, description, inputs, outputs, options.get("threads", _POOL.usual))


def probe() -> dict[str, bytes]:
    """Return the files of y = Relu(x), x and y float32 [1, 4]."""
    description = Description(("x",), ("y",), 1, {"aten.relu.default": 1}, {})
    return {"model.pte": RELU, "model.json": msgspec.json.encode(description)}


def _meta(module: Any) -> Any:
    try:
        return module.method_meta(_METHOD)
    except RuntimeError as error:
        raise EngineError(f"executorch refused the network: {one_line(error)}") from error


def _check(
    meta: Any, description: Description, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> None:
    """Compare the program's tensors with the manifest's."""
    for role, specs, names, tensor, count in (
        ("input", inputs, description.inputs, meta.input_tensor_meta, meta.num_inputs()),
        ("output", outputs, description.outputs, meta.output_tensor_meta, meta.num_outputs()),
    ):
        if len(names) != count:
            raise EngineError(f"executorch: model.json names {len(names)} {role}s, the program has {count}")
        infos = {name: tensor(index) for index, name in enumerate(names)}
        found = {name: (list(info.sizes()), _DTYPES.get(info.dtype(), "?")) for name, info in infos.items()}
        check_tensors("executorch", role, specs, found)
