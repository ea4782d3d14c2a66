"""Architectures of several families; with random weights that behave like trained ones they are the benchmark's."""

from collections.abc import Callable

from torch import nn

from networks import (
    attention,
    decoder,
    dense,
    depthwise,
    dilated,
    gated,
    grouped,
    plain,
    pyramid,
    residual,
    shuffled,
)

NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int]]] = {
    "residual": (residual.Residual, (160, 160)),
    "depthwise": (depthwise.Depthwise, (192, 192)),
    "dense": (dense.Dense, (160, 160)),
    "decoder": (decoder.Decoder, (128, 160)),
    "attention": (attention.Attention, (128, 160)),
}
"""By name: how to build the network, and the height and width of its input."""
MORE: dict[str, tuple[Callable[[], nn.Module], tuple[int, int]]] = {
    "gated": (gated.Gated, (160, 160)),
    "shuffled": (shuffled.Shuffled, (160, 160)),
    "plain": (plain.Plain, (128, 128)),
    "dilated": (dilated.Dilated, (128, 160)),
    "grouped": (grouped.Grouped, (128, 128)),
    "pyramid": (pyramid.Pyramid, (128, 160)),
}
"""Further families, for what every engine has to take (`targets.py`)."""
