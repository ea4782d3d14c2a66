"""Group: the channels that can only go together, and the layers they run through."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Member:
    """One side of one layer (or bare parameter) of a group.

    Attributes:
        layer: the module's name in `named_modules`, or a bare parameter's in `named_parameters`.
        side: `out` for what the layer gives (a batch norm's channels too), `in` for what it takes.
        indices: int64 [channels, k], the k channels of the layer that each channel of the group stands for.
    """

    layer: str
    side: str
    indices: Tensor


@dataclass(frozen=True)
class Group:
    """Channels of several layers that a cut takes together (DepGraph: Fang et al., arXiv 2301.12900).

    One channel of the group stands for `outs[layer]` output channels and `ins[layer]` input channels of every layer it
    runs through: one each in a chain of convolutions, height x width input features where a linear layer reads a
    flattened map, a whole block where a convolution is grouped.

    Attributes:
        name: the first of the group's layers, in the order of `named_modules`, with `:2`, `:3` where it has several.
        channels: how many channels the group has.
        unit: kept channels are a multiple of this.
        outs: output channels a layer loses with one channel of the group; norms and bare parameters are here too.
        ins: input channels a layer loses with one channel of the group.
        blocks: blocks (`groups` of a convolution, `num_groups` of a norm) a layer loses with one channel of the group.
        members: which channels exactly.
    """

    name: str
    channels: int
    unit: int
    outs: Mapping[str, int]
    ins: Mapping[str, int]
    blocks: Mapping[str, int] = field(default_factory=dict)
    members: tuple[Member, ...] = ()


@dataclass(frozen=True)
class Groups:
    """All groups of a network that can be cut, and why the others can't: group or layer name to a reason in words."""

    groups: tuple[Group, ...]
    refused: Mapping[str, str]

    def __getitem__(self, name: str) -> Group:
        """Return the group called `name`; `KeyError` when none is."""
        for group in self.groups:
            if group.name == name:
                return group
        raise KeyError(name)
