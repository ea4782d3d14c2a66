"""LayerShape: what decides how long a layer takes, apart from the engine that runs it."""

import math
from typing import Literal

import msgspec

Pair = tuple[int, int]
Operator = Literal["conv", "conv_transpose", "linear"]
FLOAT_BYTES = 4


class LayerShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A layer without its weights' values, as it runs on one frame.

    Attributes:
        op: the operator.
        in_channels: of what it reads.
        out_channels: of what it gives.
        kernel: height and width.
        stride: height and width.
        dilation: height and width.
        groups: of channels that don't see each other; as many as `in_channels` is a depthwise convolution.
        in_size: height and width of what it reads; for `linear` the number of rows, and 1.
        out_size: height and width of what it gives, likewise.
        activation: whether an activation function follows, which engines run inside the layer.
    """

    op: Operator
    in_channels: int
    out_channels: int
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    groups: int = 1
    in_size: Pair = (1, 1)
    out_size: Pair = (1, 1)
    activation: bool = True

    def __post_init__(self) -> None:
        sizes = (self.in_channels, self.out_channels, self.groups, *self.kernel, *self.stride, *self.dilation)
        if min(*sizes, *self.in_size, *self.out_size) < 1:
            raise ValueError("every size of a layer is at least 1")
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(f"{self.groups} groups divide neither {self.in_channels} nor {self.out_channels} channels")

    @property
    def depthwise(self) -> bool:
        """Whether each channel is convolved by itself."""
        return self.groups > 1 and self.groups == self.in_channels

    @property
    def weights(self) -> int:
        """Numbers in its weight, the bias not counted."""
        return self.in_channels * self.out_channels // self.groups * math.prod(self.kernel)

    @property
    def macs(self) -> int:
        """Multiply-adds of one frame."""
        places = self.in_size if self.op == "conv_transpose" else self.out_size
        return self.weights * math.prod(places)

    @property
    def read(self) -> int:
        """Numbers it reads, weights not counted."""
        return self.in_channels * math.prod(self.in_size)

    @property
    def written(self) -> int:
        """Numbers it gives."""
        return self.out_channels * math.prod(self.out_size)

    @property
    def moved(self) -> int:
        """Numbers that go through memory at least once: read, written, and the weights."""
        return self.read + self.written + self.weights

    def with_channels(self, in_channels: int, out_channels: int) -> "LayerShape":
        """Return the same layer at other widths, with the groups it has."""
        return msgspec.structs.replace(self, in_channels=in_channels, out_channels=out_channels)

    def with_groups(self, groups: int) -> "LayerShape":
        """Return the same layer with another number of groups, each as wide as before."""
        inputs, outputs = self.in_channels // self.groups, self.out_channels // self.groups
        return msgspec.structs.replace(self, groups=groups, in_channels=groups * inputs, out_channels=groups * outputs)

    def text(self) -> str:
        """Return e.g. `conv 64>128 3x3/2 @36x80`."""
        kind = f"depthwise {self.op}" if self.depthwise else self.op + (f"/{self.groups}" if self.groups > 1 else "")
        head = f"{kind} {self.in_channels}>{self.out_channels}"
        if self.op == "linear":
            return head if self.in_size[0] == 1 else f"{head} x{self.in_size[0]}"
        stride = f"/{max(self.stride)}" if max(self.stride) > 1 else ""
        return f"{head} {self.kernel[0]}x{self.kernel[1]}{stride} @{self.in_size[0]}x{self.in_size[1]}"
