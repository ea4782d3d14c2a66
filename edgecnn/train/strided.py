"""Convolutions of 1x1 with a stride, computed as torch's gradients can bear it.

Such a layer reads every second pixel. On an x86 CPU the gradient of one with few channels ends the process where pixels
lie channels last (torch 2.13), as they do in training. What it reads is taken out first here, and read without a
stride: the same numbers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

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
    return layer.kernel_size == (1, 1) and max(layer.stride) > 1 and layer.padding in {(0, 0), "valid"}


def _taken_first(layer: nn.Conv2d) -> Callable[[], None]:
    stride = layer.stride
    down, right = stride

    def take(_: nn.Module, inputs: Inputs) -> Inputs:
        return (inputs[0][..., ::down, ::right], *inputs[1:])

    hook = layer.register_forward_pre_hook(take)
    layer.stride = (1, 1)

    def undo() -> None:
        hook.remove()
        layer.stride = stride

    return undo
