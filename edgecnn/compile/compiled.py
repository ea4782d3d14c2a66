"""What a target's compiler is given and what it gives back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgecnn.core.bundle import Precision


@dataclass(frozen=True, slots=True)
class CompiledFiles:
    """The engine's files, the main one first, and the versions of the packages that made them."""

    files: tuple[Path, ...]
    versions: dict[str, str]


class CompileModel(Protocol):
    """What a target's file offers as `compile_model`."""

    def __call__(self, onnx: Path, out: Path, precision: Precision) -> CompiledFiles:
        """Compile the model file `onnx`, already in `precision`, into the folder `out`.

        The same model gives the same bytes.

        Raises:
            EngineError: the engine's compiler refused the model.
        """
        ...
