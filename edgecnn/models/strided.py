"""Convolutions of 1x1 with a stride, computed as torch's gradients can bear it.

Such a layer reads every second pixel. On an x86 CPU the gradient of one with few channels ends the process where pixels
lie channels last (torch 2.13), as they do in training. What it reads is taken out first, and read without a stride:
the same numbers.
"""

from collections.abc import Sequence
from types import EllipsisType  # noqa: TC003

from torch import Tensor


def skips_pixels(kernel: Sequence[int], strides: Sequence[int]) -> bool:
    """Return whether a convolution of this kernel and these strides is one of them."""
    return max(kernel) == 1 and max(strides) > 1


def pixels_read(x: Tensor, strides: Sequence[int]) -> Tensor:
    """Return the pixels of padded `x` [N, C, ...] that such a convolution reads."""
    index: tuple[EllipsisType | slice, ...] = (..., *(slice(None, None, stride) for stride in strides))
    return x[index]
