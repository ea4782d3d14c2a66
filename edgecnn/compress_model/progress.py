"""Finished steps on disk: a run that was killed goes on after the last one that was done."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from torch import nn

from edgecnn.core import atomic, evidence
from edgecnn.core.compress_evidence import CompressedStep
from edgecnn.core.structure import Structure
from edgecnn.models.structure import rebuild, structure_of
from edgecnn.train.checkpoint import load_weights, save_weights

WEIGHTS, STRUCTURE, STEP, RECORD = "model.safetensors", "structure.json", "step.json", "record.json"

Record = TypeVar("Record", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Finished:
    """A step that was done, with the module it left."""

    module: nn.Module
    step: CompressedStep


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one run below `folder`; `original` is the module that they started from."""

    folder: Path
    original: nn.Module

    def finished(self) -> Iterator[Finished]:
        """Yield the steps done so far, in their order."""
        place = 0
        while (self._done(place) / STEP).is_file():
            folder = self._done(place)
            yield Finished(load_module(folder, self.original), evidence.read(folder / STEP, CompressedStep))
            place += 1

    def work(self, place: int) -> Path:
        """Return the folder in which the step at `place` keeps what outlives a kill."""
        folder = self.folder / f"{place:02d}-work"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def finish(self, place: int, module: nn.Module, step: CompressedStep) -> None:
        """Lay a finished step down, whole or not at all."""
        with atomic.new_folder(self._done(place)) as folder:
            save_module(folder, module, self.original)
            evidence.write(folder / STEP, step)
        shutil.rmtree(self.work(place), ignore_errors=True)

    def _done(self, place: int) -> Path:
        return self.folder / f"{place:02d}-done"


def save_module(folder: Path, module: nn.Module, original: nn.Module) -> None:
    """Write `model.safetensors` and `structure.json` of `module`, which was made from `original`."""
    save_weights(folder / WEIGHTS, module)
    evidence.write(folder / STRUCTURE, structure_of(module, original))


def load_module(folder: Path, original: nn.Module) -> nn.Module:
    """Return the module of `save_module`, in eval mode, built from what the code of `original` makes.

    Raises:
        InputError: the structure does not fit that module.
        DataError: the weights do not fit the structure.
    """
    module = rebuild(original, evidence.read(folder / STRUCTURE, Structure))
    load_weights(folder / WEIGHTS, module)
    return module.eval()


def remembered(
    folder: Path, original: nn.Module, kind: type[Record], make: Callable[[], tuple[nn.Module, Record]]
) -> tuple[nn.Module, Record]:
    """Return what `make` made of `original` when it was first asked for, read from `folder` if that is there.

    What depends on measured times would come out otherwise the next time, and checkpoints would not fit it.
    """
    if not (folder / RECORD).is_file():
        module, record = make()
        with atomic.new_folder(folder) as new:
            save_module(new, module, original)
            evidence.write(new / RECORD, record)
    return load_module(folder, original), evidence.read(folder / RECORD, kind)
