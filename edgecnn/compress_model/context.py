"""What every step is given, and what it gives back."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgecnn.compress_model.clock import Clock
from edgecnn.compress_model.subject import Subject
from edgecnn.core.compress_evidence import PruneRound
from edgecnn.core.errors import InputError
from edgecnn.core.evidence import Epoch
from edgecnn.core.registry import nearest

Mend = Callable[[nn.Module], None]


@dataclass(frozen=True)
class Context:
    """The surroundings of one step.

    Attributes:
        subject: what is compressed.
        clock: times it.
        scores: what the original is worth, a score a frame.
        target: what a step that names none is timed in.
        folder: where the step keeps what outlives a kill.
        mend: what keeps weights as an earlier step wants them, after each step of an optimizer; None: nothing does.
        say: tells the user a line.
    """

    subject: Subject
    clock: Clock
    scores: Sequence[Any]
    target: str
    folder: Path
    mend: Mend | None = None
    say: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class Outcome:
    """What a step made of a module, and what is to be known of it; fields as in `CompressedStep`.

    `mend` replaces the context's for later steps, None leaves it.
    """

    module: nn.Module
    verdict: str = ""
    widths: dict[str, tuple[int, int]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    rounds: tuple[PruneRound, ...] = ()
    curve: tuple[Epoch, ...] = ()
    notes: tuple[str, ...] = ()
    mend: Mend | None = None


def unchanged(module: nn.Module, original: nn.Module) -> bool:
    """Return whether `module` is `original`, or was read back from disk with nothing done to it."""
    if module is original:
        return True
    ours, theirs = module.state_dict(), original.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def fitting(patterns: Iterable[str], names: Sequence[str], what: str) -> list[str]:
    """Return those of `names` that one of `patterns` (shell style) fits.

    Raises:
        InputError: a pattern fits none, so that it is probably misspelt.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        fits = [name for name in names if fnmatchcase(name, pattern)]
        if not fits:
            raise InputError(f"{what} '{pattern}' fits no layer{nearest(pattern, names)}")
        found |= dict.fromkeys(fits)
    return list(found)
