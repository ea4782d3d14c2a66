"""Frames without labels as training data: the only thing to learn from them is what another network says of them."""

from collections.abc import Mapping
from typing import Any, Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset


class Frames(Protocol):
    """A network's inputs by place, each with its batch axis of one."""

    def __len__(self) -> int:
        """Return the number of frames."""
        ...

    def __getitem__(self, place: int) -> Mapping[str, NDArray[Any]]:
        """Return one frame's inputs by name."""
        ...


@final
class UnlabelledFrames(Dataset[tuple[tuple[Tensor, ...], dict[str, Tensor]]]):
    """Each item is one frame's inputs without their batch axis, in the order of `names`, and no target.

    Few frames are gone through several times in an epoch, so that it has `least` items: what an epoch of training is
    worth must not hang on how many frames somebody had at hand.
    """

    def __init__(self, frames: Frames, names: tuple[str, ...], least: int = 0) -> None:
        self.epoch = 0
        self._frames, self._names, self._least = frames, names, least

    def __len__(self) -> int:
        return max(len(self._frames), self._least)

    def __getitem__(self, index: int) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        return tuple(tensor[0] for tensor in self.frame(index % len(self._frames))), {}

    def frame(self, index: int) -> tuple[Tensor, ...]:
        """Return one frame's inputs with a batch of one."""
        feeds = self._frames[index]
        return tuple(torch.from_numpy(np.array(feeds[name])) for name in self._names)

    def inputs(self, frames: Any, module: nn.Module, device: torch.device) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Return a batch of frames as it is, on `device`; the network needs no more."""
        return tuple(tensor.to(device, non_blocking=True) for tensor in frames)
