"""Trains a network whose strided 1x1 convolutions would end the process: see `models/strided.py`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from edgecnn.models.strided import pixels_read, skips_pixels

Inputs = tuple[Any, ...]


@contextmanager
def pixels_taken_first(module: nn.Module) -> Iterator[None]:
    """Let `module` compute its strided 1x1 convolutions so; when the context ends, all is as it was."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d) and _skips_pixels(layer)]
    undo = [_taken_first(layer) for layer in layers]
    try:
        yield
    finally:
        for each in undo:
            each()


def _skips_pixels(layer: nn.Conv2d) -> bool:
    return skips_pixels(layer.kernel_size, layer.stride) and layer.padding in {(0, 0), "valid"}


def _taken_first(layer: nn.Conv2d) -> Callable[[], None]:
    stride = layer.stride

    def take(_: nn.Module, inputs: Inputs) -> Inputs:
        return (pixels_read(inputs[0], stride), *inputs[1:])

    hook = layer.register_forward_pre_hook(take)
    layer.stride = (1, 1)

    def undo() -> None:
        hook.remove()
        layer.stride = stride

    return undo
