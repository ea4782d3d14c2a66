"""Structure: in what a compressed network differs from the module that the code builds, as plain JSON."""

from typing import Annotated, Literal

import msgspec

Width = Annotated[int, msgspec.Meta(ge=1)]
Extent = tuple[Annotated[int, msgspec.Meta(ge=0)], ...]


class Widths(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left of a layer: its input and output channels (or features) and the blocks they stand in."""

    inputs: Width
    outputs: Width
    groups: Width = 1


class PlainLayer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A convolution or a linear layer, whole: everything but its weights.

    `kernel`, `stride`, `padding` and `dilation` have one number a spatial axis; a linear layer has none.
    """

    kind: Literal["conv", "linear"]
    inputs: Width
    outputs: Width
    groups: Width = 1
    kernel: Extent = ()
    stride: Extent = ()
    padding: Extent | Literal["same", "valid"] = ()
    dilation: Extent = ()
    padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"
    bias: bool = False


class Structure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was cut and what was split. Empty means: just what the code builds.

    Attributes:
        layers: by module name, the widths of what is narrower than the code makes it.
        factored: by module name, the layers that stand one after the other in place of one.
        parameters: by name, the new shape of parameters and buffers that belong to no layer.
    """

    layers: dict[str, Widths] = {}
    factored: dict[str, tuple[PlainLayer, ...]] = {}
    parameters: dict[str, tuple[Width, ...]] = {}
