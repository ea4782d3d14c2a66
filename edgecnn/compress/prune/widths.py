"""Widths: the channel counts that a group may come down to."""

import math
from collections.abc import Mapping
from typing import TypeAlias

from edgecnn.compress.prune.group import Group

Widths: TypeAlias = Mapping[str, int]
"""How many channels each group keeps, by its name; a group that is not named keeps all."""

FINE, MIDDLE, COARSE = 4, 8, 16
BLOCK = 16
"""Channels that some engines lay out together; what is no multiple of that leaves their layout at every sum and concat.

ONNX Runtime on x86 is such an engine: a dense network pruned to odd widths came out up to 1.5 times slower than whole.
"""
MOST = 16


def candidates(group: Group, floor: float = 0.1, align: int | None = None) -> list[int]:
    """Return the widths worth considering, rising, the last being all channels.

    Multiples of `align` (and of the group's unit). Without it multiples of 16, of 8 up to 64 channels and of 4 up to
    32: half a vector register of inputs is time saved where half a register of outputs is not, and measured times tell
    the two apart. Above 256 channels the step grows with them. At least `floor` of the channels are kept.

    Raises:
        ValueError: `floor` or `align` is out of range.
    """
    if not 0 <= floor <= 1 or (align is not None and align < 1):
        raise ValueError(f"floor is a share and align at least 1; got {floor} and {align}")
    step = math.lcm(align or _step(group.channels), group.unit)
    least = max(1, math.ceil(floor * group.channels))
    return [*(width for width in range(step, group.channels, step) if width >= least), group.channels]


def _step(channels: int) -> int:
    if channels <= 4 * COARSE:
        return FINE if channels <= 2 * COARSE else MIDDLE
    return COARSE * math.ceil(channels / (MOST * COARSE))
