"""Engine: the face every inference engine shows. Named tensors in, named tensors out."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from edgecnn.core.tensor import TensorSpec


class Engine(Protocol):
    """A network loaded into an engine. `infer` may be called from many threads at once.

    Attributes:
        name: the engine's name in the registry.
        inputs: the tensors it takes.
        outputs: the tensors it gives.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network once.

        Raises:
            TensorError: an input's name, shape, dtype or values are not as `inputs` says.
            EngineError: the engine itself failed.
        """
        ...

    def facts(self) -> dict[str, Any]:
        """Return version, device, threads and precision as the engine itself reports them after loading."""
        ...

    def close(self) -> None:
        """Give back memory and threads; a closed engine is not used again."""
        ...


class OpenEngine(Protocol):
    """What an engine's file offers as `open_engine`."""

    def __call__(
        self,
        files: Mapping[str, bytes],
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        options: Mapping[str, Any],
    ) -> Engine:
        """Load the network whose files (base name to content, main file first) are given.

        `options` may hold `threads` (int); a key the engine does not know is an `InputError`.
        """
        ...


class Probe(Protocol):
    """What the file of an engine that loads no ONNX offers as `probe`, beside `open_engine`: a first sign of life."""

    def __call__(self) -> Mapping[str, bytes]:
        """Return the files of y = Relu(x), x and y float32 [1, 4], as `open_engine` takes them: main file first.

        They stand in the engine's file as bytes, or are built here where the engine's SDK has to build them.

        Raises:
            EngineError: they have to be built on this machine, and that fails.
        """
        ...
