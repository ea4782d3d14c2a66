"""What a proof is run on: a network with random weights, an input for it, and how its channels are silenced."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from edgecnn.compress.prune.apply import bare_axis
from edgecnn.compress.prune.group import Group
from edgecnn.core.errors import InputError, line_of
from edgecnn.models.answers import tensors
from edgecnn.models.layer_channels import IN, channel_axis

SLACK = {torch.float64: 1e-9, torch.float32: 1e-4}  # what rounding may do, of an output's largest magnitude


@dataclass(frozen=True)
class Bench:
    """A network, its input, and the names of the groups whose channels its answer feels.

    The weights are random, so that no channel is idle that a trained (or a fresh) network happens not to use. Norms
    over several channels keep their scale and shift only: their statistics change with any channel that goes.
    """

    module: nn.Module
    example: tuple[Tensor, ...]
    slack: float
    felt: frozenset[str]

    def run(self, module: nn.Module) -> Any:
        """Return what `module` gives."""
        with torch.no_grad():
            return _run(module, self.example)

    def near(self, one: Tensor, other: Tensor) -> bool:
        """Return whether two outputs of one shape differ by no more than rounding."""
        if not one.is_floating_point():
            return bool(torch.equal(one, other))
        scale = float(other.abs().max()) if other.numel() else 0.0
        return bool(((one - other).abs() <= self.slack * max(scale, 1e-3)).all())


def make_bench(module: nn.Module, example: tuple[Tensor, ...], groups: Sequence[Group], seed: int) -> Bench:
    """Return a bench of a copy of `module`; in double precision, or in single if its code knows no other."""
    for dtype in (torch.float64, torch.float32):
        generator = torch.Generator().manual_seed(seed)
        inputs = tuple(_noise(tensor, dtype, generator) for tensor in example)
        for weights in (_random, _perturbed):
            bench = copy.deepcopy(module).eval().to(dtype).requires_grad_(requires_grad=True)
            with torch.no_grad():
                weights(bench, generator)
            _calm_norms(bench)
            try:
                answer = [tensor for tensor in tensors(_run(bench, inputs)) if tensor.is_floating_point()]
            except Exception as error:
                if dtype == torch.float32:
                    raise InputError(
                        f"the network does not run on noise of the example's shape: {line_of(error, 200)}"
                    ) from error
                break
            if all(bool(tensor.isfinite().all()) for tensor in answer):
                return Bench(bench, inputs, SLACK[dtype], _felt(bench, inputs, groups, SLACK[dtype], generator))
    raise InputError("the network gives NaN or infinity for noise, so nothing can be proven of its channels")


def silence(module: nn.Module, group: Group, gone: Tensor) -> None:
    """Let `module` see the channels `gone` (bool [channels]) of `group` as zero, where they are made and read."""
    modules, bare = dict(module.named_modules()), dict((*module.named_parameters(), *module.named_buffers()))
    for member in group.members:
        where = member.indices[gone].flatten()
        if member.layer not in modules:
            with torch.no_grad():
                tensor = bare[member.layer]
                tensor.index_fill_(bare_axis(tensor), where.to(tensor.device), 0)
            continue
        layer = modules[member.layer]
        mute = _Mute(where, channel_axis(layer))
        if member.side == IN:
            layer.register_forward_pre_hook(mute.before)
        else:
            layer.register_forward_hook(mute.after)


@dataclass(frozen=True)
class _Mute:
    """Hooks that set some channels of what enters or leaves a layer to zero."""

    where: Tensor
    axis: int

    def before(self, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (self._zeroed(inputs[0]), *inputs[1:])

    def after(self, _layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return self._zeroed(output)

    def _zeroed(self, tensor: Tensor) -> Tensor:
        return tensor.index_fill(self.axis, self.where.to(tensor.device), 0)


def _run(module: nn.Module, example: tuple[Tensor, ...]) -> Any:
    """Return what `module` gives; what it draws at random is the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return module(*example)


def _noise(tensor: Tensor, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    return torch.randn(tensor.shape, generator=generator, dtype=dtype).to(tensor.device)


def _random(module: nn.Module, generator: torch.Generator) -> None:
    """Fill weights so that signals keep their size from layer to layer, and everything else with numbers near one."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if not tensor.is_floating_point():
            continue
        if isinstance(tensor, nn.Parameter) and tensor.ndim > 1:
            spread = (2 * tensor.shape[0] / max(1, tensor.numel())) ** 0.5
            fresh = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype) * spread
        elif isinstance(tensor, nn.Parameter) or name.rpartition(".")[2] in {"running_mean", "running_var"}:
            fresh = torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype) + 0.5
        else:
            continue  # a table that the code computed once, such as a grid
        tensor.copy_(fresh)


def _perturbed(module: nn.Module, generator: torch.Generator) -> None:
    """Move the weights that are there a little, for networks whose code needs about these."""
    for tensor in module.parameters():
        noise = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype).to(tensor.device)
        tensor.add_(noise * (0.05 * tensor.abs().mean() + 1e-3))


def _calm_norms(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.LayerNorm) or (
            isinstance(layer, nn.GroupNorm) and layer.num_groups < layer.num_channels
        ):
            layer.register_forward_hook(_scale_and_shift)


def _scale_and_shift(layer: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> Tensor:
    (signal,) = inputs
    shape = [-1] + [1] * (signal.ndim - 2) if isinstance(layer, nn.GroupNorm) else [-1]
    if isinstance(layer, nn.LayerNorm):
        shape = list(layer.normalized_shape)
    if isinstance(layer.weight, Tensor):
        signal = signal * layer.weight.reshape(shape)
    if isinstance(layer.bias, Tensor):
        signal = signal + layer.bias.reshape(shape)
    return signal


def _felt(
    module: nn.Module, example: tuple[Tensor, ...], groups: Sequence[Group], slack: float, generator: torch.Generator
) -> frozenset[str]:
    """Return the groups whose channels move the output by far more than rounding, to first order."""
    with torch.enable_grad():
        outputs = [tensor for tensor in tensors(_run(module, example)) if tensor.grad_fn is not None]
        pull = [torch.randn(o.shape, generator=generator, dtype=o.dtype).to(o.device) for o in outputs]
        torch.autograd.backward(outputs, pull)
    scale = max((float(tensor.detach().abs().max()) for tensor in outputs if tensor.numel()), default=0.0)
    modules, found = dict(module.named_modules()), set()
    for group in groups:
        for member in group.members:
            layer = modules.get(member.layer)
            if isinstance(layer, (_ConvNd, nn.Linear)) and layer.weight.grad is not None and member.side != IN:
                effect = float((layer.weight.grad * layer.weight.detach()).abs().sum())
                if effect > 100 * slack * scale:
                    found.add(group.name)
    module.zero_grad(set_to_none=True)
    return frozenset(found)
