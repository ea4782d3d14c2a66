"""The gradient of the loss with respect to gates of one, set on every channel of every group.

A gate m scales its channel wherever a layer of the group reads it (where none does, wherever one makes it). Its
gradient is sum a dL/da over those readings, one number a sample: what the loss gains, to first order, when the channel
goes.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from edgecnn.compress.prune.group import Group, Groups, Member
from edgecnn.compress.prune.modes import in_eval
from edgecnn.core.errors import InputError
from edgecnn.models.layer_channels import IN, channel_axis

Losses = Iterable[Callable[[nn.Module], Tensor]]


def gate_gradients(module: nn.Module, groups: Groups, losses: Losses | None) -> Iterator[dict[str, Tensor]]:
    """Yield for each batch, by group name, the gradient of each sample's own loss, float64 [samples, channels].

    `module` runs in eval mode, so that a sample's loss is its own; its mode is restored. A batch's loss is taken to be
    the mean over its samples.

    Raises:
        InputError: there are no losses.
    """
    if losses is None:
        raise InputError("this pruning criterion needs training batches; without data use l1, l2 or geometric_median")
    empty = True
    with in_eval(module):
        for loss in losses:
            empty = False
            with torch.enable_grad(), _gates(module, groups) as found:
                loss(module).backward()  # type: ignore[no-untyped-call]
            module.zero_grad(set_to_none=True)
            yield {group.name: _of(group, found) for group in groups.groups}
    if empty:
        raise InputError("this pruning criterion needs training batches and was given none")


def _members(group: Group) -> list[Member]:
    """Return the readings that a group's gates are set on."""
    reading = [member for member in group.members if member.side == IN]
    return reading or [member for member in group.members if member.layer == group.name.partition(":")[0]]


@contextmanager
def _gates(module: nn.Module, groups: Groups) -> Iterator[dict[tuple[str, str], list[Tensor]]]:
    """Gather, by layer and side, a dL/da of every channel of the layers that groups are gated at."""
    found: dict[tuple[str, str], list[Tensor]] = defaultdict(list)
    layers = dict(module.named_modules())
    places = {(member.layer, member.side) for group in groups.groups for member in _members(group)}
    hooks = []
    for name, side in places:
        gate = _Gate(found[name, side], channel_axis(layers[name]))
        if side == IN:
            hooks.append(layers[name].register_forward_pre_hook(gate.before))
        else:
            hooks.append(layers[name].register_forward_hook(gate.after))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


class _Gate:
    """Hooks that note, for one side of one layer, activation times gradient, [samples, channels]."""

    def __init__(self, found: list[Tensor], axis: int) -> None:
        self.found = found
        self.axis = axis

    def before(self, _layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (self._watched(inputs[0]), *inputs[1:])

    def after(self, _layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return self._watched(output)

    def _watched(self, tensor: Tensor) -> Tensor:
        # A view of its own: what is done to the tensor in place later is no part of what this layer reads.
        seen = tensor.clone() if tensor.requires_grad else tensor.detach().clone().requires_grad_()
        values = seen.detach()
        seen.register_hook(lambda gradient: self._note(values, gradient))  # type: ignore[no-untyped-call]
        return seen

    def _note(self, values: Tensor, gradient: Tensor) -> None:
        product = (values * gradient).double().movedim(self.axis, -1)
        rows = product.reshape(product.shape[0], -1, product.shape[-1]).sum(1)
        self.found.append(rows.cpu() * rows.shape[0])


def _of(group: Group, found: dict[tuple[str, str], list[Tensor]]) -> Tensor:
    total: Tensor | None = None
    for member in _members(group):
        for noted in found[member.layer, member.side]:
            part = noted[:, member.indices].sum(2)
            # A layer that sees another number of samples than the network (a head run on many crops) tells its mean.
            same = total is None or total.shape == part.shape
            total = part if total is None else total + (part if same else part.mean(0, keepdim=True))
    return torch.zeros(1, group.channels, dtype=torch.float64) if total is None else total
