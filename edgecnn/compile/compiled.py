"""What a target's compiler is given and what it gives back."""

from pathlib import Path
from typing import Protocol

from edgecnn.core.bundle import Precision
from edgecnn.core.compiled import CompiledFiles

__all__ = ["CompileModel", "CompiledFiles"]


class CompileModel(Protocol):
    """What a target's file offers as `compile_model`."""

    def __call__(self, onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
        """Compile the model file `onnx`, already in `precision`, into the folder `out`.

        The same model gives the same bytes.

        Raises:
            EngineError: the engine's compiler refused the model.
        """
        ...
