"""What every kind of layer has of channels: how many, which only go together, and what is left of it without some."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm

OUT, IN = "out", "in"
BY_BLOCKS = "cut_by_blocks"
"""Attribute of a grouped layer that was cut. As blocks go, the finer way may become the other; groups must stay."""


@dataclass(frozen=True)
class Layer:
    """The channels of one layer.

    Attributes:
        inputs: channels (or features) it takes.
        outputs: channels it gives.
        through: whether channel i in is channel i out, as in a norm or a depthwise convolution.
        groups: blocks that its channels stand in.
        whole_blocks: whether a cut takes blocks, rather than the same channels out of every block.
        root: whether it makes channels of its own, so that a cut can begin there.
        reason: why its channels can't be cut, if they can't.
    """

    inputs: int
    outputs: int
    through: bool
    groups: int = 1
    whole_blocks: bool = False
    root: bool = False
    reason: str = ""

    def bound(self, side: str, channel: int) -> list[tuple[str, int]]:
        """Return the sides and channels of this layer that go when `channel` of `side` goes."""
        if self.groups == 1 and not self.whole_blocks:
            return []
        of = {OUT: self.outputs // self.groups, IN: self.inputs // self.groups}
        if not self.whole_blocks:
            size = of[side]
            return [(side, channel % size + block * size) for block in range(self.groups)]
        block = channel // of[side]
        sides = (OUT,) if self.through else (OUT, IN)
        return [(end, block * of[end] + i) for end in sides for i in range(of[end])]

    def can_be(self, inputs: int, outputs: int, groups: int) -> bool:
        """Return whether a cut can leave the layer with these widths."""
        if self.through and inputs != outputs:
            return False
        if self.whole_blocks:
            ins, outs = self.inputs // self.groups, self.outputs // self.groups
            return (inputs, outputs) == (groups * ins, groups * outs)
        return groups == self.groups and inputs % groups == 0 and outputs % groups == 0

    def blocks_lost(self, outs: int) -> int:
        """Return the blocks that go with `outs` output channels of this layer."""
        return outs // (self.outputs // self.groups) if self.whole_blocks else 0


def layer_of(module: nn.Module | nn.Parameter, dim: int = 0) -> Layer | None:
    """Return the channels of `module`, of a bare parameter along `dim`, or None where it has none of its own."""
    if isinstance(module, _ConvNd):
        return _conv(module)
    if isinstance(module, nn.Linear):
        reason = _owns_weight(module)
        return Layer(module.in_features, module.out_features, through=False, root=True, reason=reason)
    width, groups, reason = 0, 1, ""
    match module:
        case _BatchNorm() | _InstanceNorm():
            width = module.num_features
        case nn.GroupNorm():
            width, groups = module.num_channels, module.num_groups
        case nn.LayerNorm():
            width = module.normalized_shape[0]
            reason = "" if len(module.normalized_shape) == 1 else "a layer norm spans its height and width too"
        case nn.PReLU():
            width = module.num_parameters if module.num_parameters > 1 else 0
        case nn.Parameter():
            width = module.shape[dim]
    whole = _whole_blocks(module, groups, width)
    return Layer(width, width, through=True, groups=groups, whole_blocks=whole, reason=reason) if width else None


def _conv(module: _ConvNd) -> Layer:
    inputs, outputs, groups = module.in_channels, module.out_channels, module.groups
    through = groups == inputs == outputs and groups > 1
    whole = _whole_blocks(module, groups, inputs)
    return Layer(inputs, outputs, through, groups, whole, root=True, reason=_owns_weight(module))


def _whole_blocks(module: nn.Module | nn.Parameter, groups: int, width: int) -> bool:
    """Return whether a cut takes whole blocks: where that is the finer way, and where it was before."""
    before: bool | None = vars(module).get(BY_BLOCKS)
    return groups > 1 and groups >= width // groups if before is None else before


def _owns_weight(module: nn.Module) -> str:
    own = "weight" in dict(module.named_parameters(recurse=False))
    return "" if own else "its weight is computed from others (a parametrization, weight norm): remove that first"


def channel_axis(layer: nn.Module) -> int:
    """Return the axis of channels in what a layer takes and gives."""
    if isinstance(layer, (nn.Linear, nn.LayerNorm)):
        return -1
    return -1 - len(layer.kernel_size) if isinstance(layer, _ConvNd) else 1


def narrow(module: nn.Module, outs: Tensor | None, ins: Tensor | None) -> None:
    """Leave only the channels `outs` and `ins` of `module`, in place; None leaves a side as it is.

    Both are sorted int64 indices. Of a layer whose channels run through, `outs` says all. What is left holds the
    weights of the channels kept.
    """
    layer = layer_of(module)
    if layer is None:
        raise TypeError(f"a {type(module).__name__} has no channels to cut")
    if outs is not None:
        _narrow_outputs(module, layer, outs)
    if ins is not None and not layer.through:
        _narrow_inputs(module, layer, ins)
    if layer.groups > 1:
        setattr(module, BY_BLOCKS, layer.whole_blocks)
    if layer.whole_blocks and outs is not None:
        left = len(outs) // (layer.outputs // layer.groups)
        setattr(module, "num_groups" if isinstance(module, nn.GroupNorm) else "groups", left)


def _narrow_outputs(module: nn.Module, layer: Layer, kept: Tensor) -> None:
    axis = int(isinstance(module, _ConvNd) and module.transposed)
    if isinstance(module, _ConvNd) and module.transposed and (layer.groups > 1 or layer.whole_blocks):
        _narrow_transposed_outputs(module, layer, kept)
    else:
        keep_tensor(module, "weight", axis, kept)
    for name in ("bias", "running_mean", "running_var"):
        keep_tensor(module, name, 0, kept)
    match module:
        case _ConvNd():
            module.out_channels = len(kept)
            if layer.through:
                module.in_channels = len(kept)
        case nn.Linear():
            module.out_features = len(kept)
        case _BatchNorm() | _InstanceNorm():
            module.num_features = len(kept)
        case nn.GroupNorm():
            module.num_channels = len(kept)
        case nn.LayerNorm():
            module.normalized_shape = (len(kept),)
        case nn.PReLU():
            module.num_parameters = len(kept)


def _narrow_transposed_outputs(module: _ConvNd, layer: Layer, kept: Tensor) -> None:
    """A transposed convolution's weight is [in, out / groups, ...]: its blocks lie along the inputs."""
    size = layer.outputs // layer.groups
    if layer.through:
        keep_tensor(module, "weight", 0, kept)
    elif not layer.whole_blocks:
        keep_tensor(module, "weight", 1, kept[: len(kept) // layer.groups])
    assert layer.through or not layer.whole_blocks or len(kept) % size == 0  # noqa: S101 - blocks go whole


def _narrow_inputs(module: nn.Module, layer: Layer, kept: Tensor) -> None:
    if isinstance(module, nn.Linear):
        keep_tensor(module, "weight", 1, kept)
        module.in_features = len(kept)
        return
    assert isinstance(module, _ConvNd)  # noqa: S101 - nothing else has inputs of its own
    if module.transposed:
        keep_tensor(module, "weight", 0, kept)
    elif layer.groups == 1:
        keep_tensor(module, "weight", 1, kept)
    elif not layer.whole_blocks:
        # The same channels of every block are left, so the first block's say which.
        keep_tensor(module, "weight", 1, kept[: len(kept) // layer.groups])
    module.in_channels = len(kept)


def keep_tensor(module: nn.Module, name: str, axis: int, kept: Tensor) -> None:
    """Leave only the slices `kept` along `axis` of the parameter or buffer `name`, where `module` has it."""
    tensor = getattr(module, name, None)
    if tensor is None:
        return
    chosen = tensor.detach().index_select(axis, kept.to(tensor.device)).clone()
    if isinstance(tensor, nn.Parameter):
        chosen = nn.Parameter(chosen, requires_grad=tensor.requires_grad)
    setattr(module, name, chosen)
