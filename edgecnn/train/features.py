"""Where a pupil's inner maps can be held against its teacher's: the same module, the same grid of places."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

MOST = 4
"""Most maps that are compared; the coarsest count, as they hold what the outputs are made of."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A module by name, and how many channels its map has in the pupil and in the teacher."""

    name: str
    pupil: int
    teacher: int


def find_pairs(pupil: nn.Module, teacher: nn.Module, example: tuple[Tensor, ...]) -> tuple[Pair, ...]:
    """Return the maps to compare: of every grid size the one with most channels that is finished last.

    A map is what a module gives as one tensor [N, C, H, W] with more than one place. Modules are matched by name, which
    pruning and factoring leave as they are.
    """
    ours, theirs = _maps(pupil, example), _maps(teacher, example)
    best: dict[tuple[int, ...], str] = {}
    for name, shape in theirs.items():
        grid = shape[2:]
        if name in ours and ours[name][2:] == grid and (grid not in best or shape[1] >= theirs[best[grid]][1]):
            best[grid] = name
    coarse = sorted(best, key=lambda grid: grid[0] * grid[1])[:MOST]
    return tuple(Pair(best[grid], ours[best[grid]][1], theirs[best[grid]][1]) for grid in coarse)


@contextmanager
def watched(module: nn.Module, names: Sequence[str], seen: dict[str, Tensor]) -> Iterator[None]:
    """Lay what the modules called `names` answer down in `seen` while the block runs; of several calls the last."""
    with ExitStack() as stack:
        for name in names:
            stack.callback(module.get_submodule(name).register_forward_hook(_keeper(name, seen)).remove)
        yield


def _keeper(name: str, seen: dict[str, Tensor]) -> Any:
    def keep(_module: nn.Module, _inputs: Any, answer: Any) -> None:
        seen.pop(name, None)
        if isinstance(answer, Tensor):
            seen[name] = answer

    return keep


@torch.no_grad()
def _maps(module: nn.Module, example: tuple[Tensor, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all maps by module name, in the order in which they are finished."""
    seen: dict[str, Tensor] = {}
    was_training = module.training
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    # What a whole network answers are its outputs, which are compared as such.
    with watched(module, [name for name, _ in module.named_modules() if name], seen):
        module.eval()(*(tensor.to(device) for tensor in example))
    module.train(was_training)
    maps = {name: tuple(tensor.shape) for name, tensor in seen.items()}
    return {name: shape for name, shape in maps.items() if len(shape) == 4 and shape[2] * shape[3] > 1}
