"""Plain convolutions and linear layers, described and built anew."""

import math
from collections.abc import Callable

from torch import nn

from edgecnn.core.errors import InputError
from edgecnn.core.structure import PlainLayer

CONVOLUTIONS: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def describe_plain(layer: nn.Module) -> PlainLayer:
    """Return all of a convolution or linear layer but its weights.

    Raises:
        InputError: it is something else.
    """
    if type(layer) is nn.Linear:
        return PlainLayer("linear", layer.in_features, layer.out_features, bias=layer.bias is not None)
    if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)) and type(layer) in CONVOLUTIONS.values():
        return PlainLayer(
            "conv",
            layer.in_channels,
            layer.out_channels,
            layer.groups,
            layer.kernel_size,
            layer.stride,
            layer.padding,  # type: ignore[arg-type]
            layer.dilation,
            layer.padding_mode,
            layer.bias is not None,
        )
    raise InputError(f"a {type(layer).__name__} in place of a layer can't be kept: only convolutions and linear layers")


def build_plain(name: str, part: PlainLayer, instead: nn.Module) -> nn.Module:
    """Return the layer `part` for a place where `instead` stands, its weights not set.

    Raises:
        InputError: torch knows no such layer, or it takes other tensors than `instead`, which the error calls `name`.
    """
    linear = isinstance(instead, nn.Linear)
    if linear != (part.kind == "linear") or (not linear and len(part.kernel) != len(instead.kernel_size)):  # type: ignore[arg-type]
        raise InputError(f"the structure does not fit: a {part.kind} can't stand in place of '{name}'")
    if part.kind == "linear":
        return nn.Linear(part.inputs, part.outputs, bias=part.bias)
    axes = len(part.kernel)
    extents = (part.kernel, part.stride, part.dilation, *([] if isinstance(part.padding, str) else [part.padding]))
    sound = all(len(extent) == axes for extent in extents) and 0 not in (*part.kernel, *part.stride, *part.dilation)
    if not sound or part.inputs % part.groups or part.outputs % part.groups:
        raise InputError(f"the structure does not fit: its convolution in place of '{name}' is not sound")
    outer = (part.padding, part.dilation, part.groups, part.bias, part.padding_mode)
    try:
        return CONVOLUTIONS[axes](part.inputs, part.outputs, part.kernel, part.stride, *outer)
    except ValueError as error:
        raise InputError(f"the structure does not fit: in place of '{name}' {error}") from error


def weights_of(part: PlainLayer) -> int:
    """Return how many numbers the weight of `part` has."""
    return part.outputs * (part.inputs // part.groups) * math.prod(part.kernel)
