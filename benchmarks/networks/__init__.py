"""Architectures of several families; with random weights that behave like trained ones they are the benchmark's."""

from collections.abc import Callable

from torch import nn

from networks import attention, decoder, dense, depthwise, residual

NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int]]] = {
    "residual": (residual.Residual, (160, 160)),
    "depthwise": (depthwise.Depthwise, (192, 192)),
    "dense": (dense.Dense, (160, 160)),
    "decoder": (decoder.Decoder, (128, 160)),
    "attention": (attention.Attention, (128, 160)),
}
"""By name: how to build the network, and the height and width of its input."""
