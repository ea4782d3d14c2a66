"""What a target's compiler gives back."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CompiledFiles:
    """The engine's files, the main one first, and the versions of the packages that made them."""

    files: tuple[Path, ...]
    versions: dict[str, str]
