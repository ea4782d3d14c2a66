"""Stage: the one face every stage of the pipeline shows, and Job: all that a stage is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edgecnn.core.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one stage.

    Attributes:
        recipe: the whole recipe; a stage reads only what its `parameters` returned.
        inputs: the result folder of every stage in `needs`, by stage name; read-only.
        out: an empty folder in the store; what stands there after `run` is the result.
        partial: a folder that outlives a kill, for checkpoints and other work in progress.
    """

    recipe: Recipe
    inputs: Mapping[str, Path]
    out: Path
    partial: Path


class Stage(Protocol):
    """What the pipeline asks of a stage. A result's key is `code` + the keys of `needs` + `parameters`.

    Attributes:
        name: the stage's name on the command line and in the store.
        needs: names of earlier stages whose results it reads.
        code: dotted names of the packages whose source decides the result; any change there makes it anew.
    """

    name: str
    needs: tuple[str, ...]
    code: tuple[str, ...]

    def parameters(self, recipe: Recipe) -> Any:
        """Return the part of the recipe that decides the result, as a msgspec struct or plain builtins."""
        ...

    def run(self, job: Job) -> None:
        """Do the work and leave the result in `job.out`."""
        ...

    def ensures(self, out: Path) -> None:
        """Raise `StageError` unless `out` holds what later stages need."""
        ...
