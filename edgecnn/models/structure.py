"""Describe a compressed network against the module its code builds, and build it again from that description.

With the description and a file of weights a compressed network needs nothing of the run that made it.
"""

import copy
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from edgecnn.core.errors import InputError
from edgecnn.core.structure import PlainLayer, Structure, Widths
from edgecnn.models.layer_channels import Layer, layer_of, narrow
from edgecnn.models.plain_layers import build_plain, describe_plain, weights_of

ONE = Layer(1, 1, through=True)  # what a PReLU of one parameter is among those of many


def structure_of(module: nn.Module, original: nn.Module) -> Structure:
    """Return in what `module` differs from `original`, which its code builds.

    Raises:
        InputError: it differs by more than cut channels and layers split into plain ones.
    """
    own = dict(module.named_modules())
    layers, factored = {}, {}
    for name, was in original.named_modules():
        now, before = own.get(name), layer_of(was)
        if before is None or now is None:
            continue
        if isinstance(now, nn.Sequential):
            factored[name] = tuple(describe_plain(one) for one in now)
        elif (after := layer_of(now) or ONE) != before:
            layers[name] = Widths(after.inputs, after.outputs, after.groups)
    found = Structure(layers, factored, _bare_shapes(module, original))
    made = rebuild(original, found)
    if _shapes(made) != _shapes(module):
        raise InputError("the network has more changed than channels cut and layers split: its structure can't be kept")
    return found


def rebuild(original: nn.Module, structure: Structure) -> nn.Module:
    """Return a copy of `original` of the given structure; its weights are for the caller to load.

    Raises:
        InputError: the structure is another network's, or is not sound.
    """
    module = copy.deepcopy(original)
    modules = dict(module.named_modules())
    for name, widths in structure.layers.items():
        _narrow(name, _known(modules, name), widths)
    for name, parts in structure.factored.items():
        made = _factors(name, _known(modules, name), parts).train(mode=modules[name].training)
        owner, _, attribute = name.rpartition(".")
        setattr(_known(modules, owner), attribute, made)
    for name, shape in structure.parameters.items():
        _shorten(modules, name, shape)
    return module


def _known(modules: dict[str, nn.Module], name: str) -> nn.Module:
    if name not in modules:
        raise InputError(f"the structure is another network's: this one has no module '{name}'")
    return modules[name]


def _narrow(name: str, module: nn.Module, widths: Widths) -> None:
    layer = layer_of(module)
    if layer is None or layer.reason:
        kind = type(module).__name__
        raise InputError(f"the structure is another network's: '{name}' is a {kind}, with nothing to cut")
    wanted = f"{widths.inputs} inputs, {widths.outputs} outputs and {widths.groups} groups"
    if widths.inputs > layer.inputs or widths.outputs > layer.outputs or not layer.can_be(*_numbers(widths)):
        raise InputError(
            f"the structure does not fit: '{name}' has {layer.inputs} inputs, {layer.outputs} outputs and "
            f"{layer.groups} groups and can't be cut to {wanted}"
        )
    narrow(module, torch.arange(widths.outputs), torch.arange(widths.inputs))


def _numbers(widths: Widths) -> tuple[int, int, int]:
    return widths.inputs, widths.outputs, widths.groups


def _factors(name: str, layer: nn.Module, parts: Sequence[PlainLayer]) -> nn.Sequential:
    if not isinstance(layer, (_ConvNd, nn.Linear)) or layer_of(layer) is None:
        kind = type(layer).__name__
        raise InputError(f"the structure is another network's: '{name}' is a {kind}, which is not split")
    widths = layer_of(layer)
    assert widths is not None  # noqa: S101 - asked just above
    chained = all(one.outputs == other.inputs for one, other in itertools.pairwise(parts))
    small = sum(weights_of(part) for part in parts) <= 2 * layer.weight.numel()
    ends = parts and parts[0].inputs <= widths.inputs and parts[-1].outputs <= widths.outputs
    if not (chained and small and ends):
        raise InputError(f"the structure does not fit: its layers in place of '{name}' can't stand for that layer")
    made = nn.Sequential(*(build_plain(name, part, layer) for part in parts))
    return made.to(layer.weight.device, layer.weight.dtype)


def _bare_shapes(module: nn.Module, original: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes of parameters and buffers that belong to no layer and were cut."""
    layers = {name for name, one in original.named_modules() if layer_of(one) is not None}
    own = _tensors(module)
    return {
        name: tuple(own[name].shape)
        for name, was in _tensors(original).items()
        if name.rpartition(".")[0] not in layers and name in own and own[name].shape != was.shape
    }


def _shorten(modules: dict[str, nn.Module], name: str, shape: tuple[int, ...]) -> None:
    owner, _, attribute = name.rpartition(".")
    bare = _tensors(_known(modules, owner), recurse=False).get(attribute)
    if bare is None or layer_of(modules[owner]) is not None:
        raise InputError(f"the structure is another network's: this one has no bare parameter '{name}'")
    if len(shape) != bare.ndim or any(new > old for new, old in zip(shape, bare.shape, strict=True)):
        was = list(bare.shape)
        raise InputError(f"the structure does not fit: '{name}' of shape {was} can't be cut to {list(shape)}")
    part = bare.detach()[tuple(slice(size) for size in shape)].clone()
    if isinstance(bare, nn.Parameter):
        part = nn.Parameter(part, requires_grad=bare.requires_grad)
    setattr(modules[owner], attribute, part)


def _tensors(module: nn.Module, *, recurse: bool = True) -> dict[str, Tensor]:
    return dict((*module.named_parameters(recurse=recurse), *module.named_buffers(recurse=recurse)))


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in module.state_dict().items()}
