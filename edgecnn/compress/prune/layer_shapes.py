"""The shapes of a network's layers as they run on one example, and at other widths of its groups."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from edgecnn.compress.prune.group import Group
from edgecnn.core.layers import LayerShape

LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_THROUGH = frozenset({"batch_norm", "dropout", "dropout2d", "contiguous"})
"""Functions after which a layer's activation may still follow, since an engine folds them or they do nothing."""
_ACTIVATIONS = frozenset(
    {
        "clamp",
        "elu",
        "gelu",
        "hardsigmoid",
        "hardswish",
        "hardtanh",
        "leaky_relu",
        "mish",
        "prelu",
        "relu",
        "relu6",
        "sigmoid",
        "silu",
        "tanh",
    }
)


def layer_shapes(module: nn.Module, example: Sequence[Tensor]) -> dict[str, tuple[LayerShape, ...]]:
    """Return the shape of every convolution and linear layer of `module` that `example` runs through, by module name.

    A layer that is called several times, as a head over several maps, has a shape a call. `example` are the module's
    inputs with a batch of one. The module's mode is left as it was.
    """
    found: dict[str, list[LayerShape]] = {}
    follows = _Follows()
    handles = [
        layer.register_forward_hook(partial(_note, found.setdefault(name, []), follows))
        for name, layer in module.named_modules()
        if isinstance(layer, LAYERS)
    ]
    training = {part: part.training for part in module.modules()}
    try:
        with torch.no_grad(), follows:
            module.eval()(*example)
    finally:
        for handle in handles:
            handle.remove()
        for part, was in training.items():
            part.training = was
    activated = {id(record) for record in follows.activated}
    return {
        name: tuple(msgspec.structs.replace(shape, activation=id(shape) in activated) for shape in shapes)
        for name, shapes in found.items()
        if shapes
    }


def at_widths(
    shapes: Mapping[str, tuple[LayerShape, ...]], groups: Iterable[Group], widths: Mapping[str, int]
) -> dict[str, tuple[LayerShape, ...]]:
    """Return `shapes` with the channels that are left where the groups have `widths`; a group not named stays whole.

    Raises:
        ValueError: a layer would be left without channels, or with a number that its groups don't divide.
    """
    lost: dict[str, list[int]] = {}
    for group in groups:
        gone = group.channels - widths.get(group.name, group.channels)
        for place, side in enumerate((group.ins, group.outs, group.blocks)):
            for layer, each in side.items():
                lost.setdefault(layer, [0, 0, 0])[place] += each * gone
    return {
        name: tuple(narrowed(shape, *lost[name]) for shape in calls) if name in lost else calls
        for name, calls in shapes.items()
    }


def narrowed(shape: LayerShape, inputs: int, outputs: int, blocks: int) -> LayerShape:
    """Return `shape` less so many input channels, output channels and blocks (a depthwise layer loses all three)."""
    return msgspec.structs.replace(
        shape,
        in_channels=shape.in_channels - inputs,
        out_channels=shape.out_channels - outputs,
        groups=shape.groups - blocks,
    )


class _Follows(TorchFunctionMode):
    """Watches which layers' results are read by an activation function, called as a module or as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.activated: Final[list[LayerShape]] = []
        # The tensor itself is held, so that its id is not given to another one.
        self._sources: dict[int, tuple[Tensor, LayerShape]] = {}

    def came_from(self, result: Tensor, shape: LayerShape) -> None:
        self._sources[id(result)] = (result, shape)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        read = args[0] if args and isinstance(args[0], Tensor) else None
        source = self._sources.get(id(read)) if read is not None else None
        name = getattr(func, "__name__", "").rstrip("_")
        result = func(*args, **(kwargs or {}))
        if source is not None and source[0] is read:
            if name in _ACTIVATIONS:
                self.activated.append(source[1])
            elif name in _THROUGH and isinstance(result, Tensor):
                self.came_from(result, source[1])
        return result


def _note(
    shapes: list[LayerShape], follows: _Follows, layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor
) -> None:
    shape = _shape(layer, inputs[0], out)
    shapes.append(shape)
    follows.came_from(out, shape)


def _shape(layer: nn.Module, taken: Tensor, given: Tensor) -> LayerShape:
    if isinstance(layer, nn.Linear):
        rows = taken.numel() // layer.in_features
        return LayerShape(
            op="linear",
            in_channels=layer.in_features,
            out_channels=layer.out_features,
            in_size=(rows, 1),
            out_size=(rows, 1),
        )
    assert isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))  # noqa: S101 - the only others in LAYERS
    return LayerShape(
        op="conv" if isinstance(layer, nn.Conv2d) else "conv_transpose",
        in_channels=layer.in_channels,
        out_channels=layer.out_channels,
        kernel=_pair(layer.kernel_size),
        stride=_pair(layer.stride),
        dilation=_pair(layer.dilation),
        groups=layer.groups,
        in_size=_pair(taken.shape[-2:]),
        out_size=_pair(given.shape[-2:]),
    )


def _pair(sizes: Sequence[int]) -> tuple[int, int]:
    return int(sizes[0]), int(sizes[1])
