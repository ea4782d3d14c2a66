"""Low rank: large linear and convolution layers as two small ones, where that is less work.

The rank is the smallest that keeps the wanted share of the variance of the layer's answers on calibration inputs, as
far as the network's outputs move with them (`low_rank_split`). A convolution can be split over its channels or along
its kernel; the way that costs least is taken.
"""

import copy
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
import torch
from torch import Tensor, nn

from edgecnn.compress.low_rank_split import (
    Kind,
    Metric,
    Split,
    as_matrix,
    pair,
    split_for_given,
    split_for_read,
    split_plain,
)
from edgecnn.compress.prune.layer_shapes import layer_shapes
from edgecnn.compress.response import Responses, Side, gather
from edgecnn.core.errors import InputError
from edgecnn.core.layers import LayerShape
from edgecnn.core.registry import nearest

Layer = nn.Conv2d | nn.Linear
Cost = Callable[[LayerShape], float]
Calls = tuple[LayerShape, ...]  # of one layer on one frame, nearly always one

FEWEST_WEIGHTS = 1 << 14
WIDEST = 8192  # a covariance of that many numbers takes half a gigabyte
PAYS = 0.9
"""Two layers must cost at most this share of the one they replace: what a prediction is sure of, and a call more."""


@dataclass(frozen=True)
class Factored:
    """What became of one large layer.

    Attributes:
        name: of the module.
        kind: how it was split, or `kept`.
        rank: channels between the two layers; 0 when kept.
        energy: share of the variance of its answers that is left (1 when kept), as far as the outputs move with it.
        parameters_before: weights and biases.
        parameters_after: of the two layers.
        cost: their cost against that of the one layer, in the unit the choice was made by: time or multiply-adds.
        note: why it was kept; empty otherwise.
    """

    name: str
    kind: Literal["svd", "channel", "spatial", "kept"]
    rank: int
    energy: float
    parameters_before: int
    parameters_after: int
    cost: float = 1.0
    note: str = ""


@dataclass(frozen=True)
class _Option:
    kind: Kind
    split: Split
    rank: int
    cost: float


def factorize(
    module: nn.Module,
    example: tuple[Tensor, ...],
    *,
    energy: float | None = None,
    ranks: Mapping[str, int] | None = None,
    inputs: Iterable[tuple[Tensor, ...]] | None = None,
    time_of: Cost | None = None,
    align: int = 8,
    smallest: int = FEWEST_WEIGHTS,
    keep: Collection[str] = (),
) -> tuple[nn.Module, list[Factored]]:
    """Return a copy of `module` with large layers split in two, and what became of each layer that was looked at.

    Args:
        module: left as it is; the copy is in its mode, training or eval.
        example: the module's inputs, tensors [1, ...].
        energy: share in (0, 1] of the variance of a layer's answers to keep; every large layer is split that gets
            cheaper by it. Its rank is a multiple of `align`.
        ranks: instead of `energy`, the layers to split and the rank of each.
        inputs: calibration inputs of the module, each like `example`. Without them every direction of what a layer
            reads counts alike, and more rank is needed for the same loss.
        time_of: ms of a layer on the target. Without it, multiply-adds decide.
        align: channels that the target computes at once.
        smallest: layers of fewer weights are left alone.
        keep: names of layers to leave alone.

    Raises:
        InputError: neither or both of `energy` and `ranks`, or one out of bounds, or of a layer that can't be split.
    """
    if (energy is None) == (ranks is None):
        raise InputError("low_rank: give either `energy`, the share to keep, or `ranks`, one a layer")
    if energy is not None and not 0 < energy <= 1:
        raise InputError(f"low_rank: energy is a share above 0 and at most 1, not {energy}")
    new = copy.deepcopy(module)
    shapes, reasons = _look(new, example, None if ranks is None else tuple(ranks), smallest, keep)
    found = _gather(new, shapes, inputs)
    rows = []
    for name, calls in shapes.items():
        layer = new.get_submodule(name)
        assert isinstance(layer, (nn.Conv2d, nn.Linear))  # noqa: S101 - `_look` takes no others
        options = _options(name, layer, calls, found, time_of or _macs, (energy, ranks), align)
        rows.append(_replace(new, example, name, layer, options, forced=ranks is not None))
    rows += [_kept(name, new.get_submodule(name), why) for name, why in reasons.items()]
    return new.train(module.training), rows


def _look(
    module: nn.Module,
    example: tuple[Tensor, ...],
    wanted: tuple[str, ...] | None,
    smallest: int,
    keep: Collection[str],
) -> tuple[dict[str, Calls], dict[str, str]]:
    """Return the shapes of the layers that can be split, and why the other large ones can't."""
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))}
    for name in (*(wanted or ()), *keep):
        if name not in layers:
            raise InputError(f"low_rank: the model has no linear or convolution layer '{name}'{nearest(name, layers)}")
    seen = layer_shapes(module.eval(), example)
    owners: dict[int, int] = {}
    for _, parameter in module.named_parameters(remove_duplicate=False):
        owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    shapes, reasons = {}, {}
    for name, layer in layers.items():
        if name not in wanted if wanted is not None else layer.weight.numel() < smallest:
            continue
        reason = "it is to be kept" if name in keep else _refusal(layer, name in seen, owners[id(layer.weight)])
        if reason and wanted is not None:
            raise InputError(f"low_rank: layer '{name}' can't be split: {reason}")
        if reason:
            reasons[name] = reason
        else:
            shapes[name] = seen[name]
    return shapes, reasons


def _refusal(layer: Layer, called: bool, owners: int) -> str:  # noqa: FBT001 - one fact of three
    if type(layer) not in (nn.Conv2d, nn.Linear) or layer._forward_pre_hooks:  # noqa: SLF001 - nothing public tells
        return "it is no plain layer: something rewrites its weights or replaces what it does"
    if not called:
        return "its weights are used without calling it"
    if owners > 1:
        return "its weights are another layer's too"
    if isinstance(layer, nn.Conv2d) and layer.groups > 1:
        return "it is a grouped convolution, which sees few channels at once already"
    return ""


def _gather(module: nn.Module, shapes: Mapping[str, Calls], inputs: Iterable[tuple[Tensor, ...]] | None) -> Responses:
    if inputs is None:
        return Responses({}, {})
    sides: dict[str, dict[Side, int]] = {}
    for name, (shape, *_) in shapes.items():
        narrow = shape.kernel == (1, 1) and shape.in_channels < shape.out_channels
        wanted: dict[Side, int] = {"read": shape.in_channels} if narrow else {"given": shape.out_channels}
        if _separable(shape):
            wanted["columns"] = shape.in_channels * shape.kernel[0]
        sides[name] = {side: size for side, size in wanted.items() if size <= WIDEST}
    found = gather(module, sides, list(inputs))
    if any(moments.count == 0 for moments in found.moments.values()):
        raise InputError("low_rank: there are no calibration inputs")
    return found


def _separable(shape: LayerShape) -> bool:
    return min(shape.kernel) > 1


def _options(
    name: str,
    layer: Layer,
    calls: Calls,
    found: Responses,
    cost: Cost,
    wanted: tuple[float | None, Mapping[str, int] | None],
    align: int,
) -> list[_Option]:
    """Return the ways to split a layer, cheapest first; of a given rank, the one that keeps most."""
    kinds: tuple[Kind, ...] = ("svd",) if calls[0].kernel == (1, 1) else ("channel",)
    kinds += ("spatial",) if _separable(calls[0]) else ()
    energy, ranks = wanted
    whole, options = max(sum(map(cost, calls)), 1e-12), []
    for kind in kinds:
        split = _split(name, layer, kind, found)
        if split is None:
            continue
        most = len(split.power)
        if ranks is not None:
            rank = min(max(ranks[name], 1), most)
        else:
            rank = min(-(-split.rank_for(energy or 1.0) // align) * align, most)
        price = sum(cost(part) for shape in calls for part in _pair_shapes(shape, kind, rank))
        options.append(_Option(kind, split, rank, price / whole))
    if ranks is not None:
        return sorted(options, key=lambda option: -option.split.energy(option.rank))
    return sorted(options, key=lambda option: option.cost)


def _split(name: str, layer: Layer, kind: Kind, found: Responses) -> Split | None:
    """Return the split by the moments there are; None where they or their matrix would not fit into memory."""
    matrix = as_matrix(layer, kind)
    if kind == "spatial":
        read, given = found.moments.get((name, "columns")), None
    else:
        read, given = found.moments.get((name, "read")), found.moments.get((name, "given"))
    metric = Metric(found.pull.get(name))
    if read is not None:
        return split_for_read(matrix, read, metric)
    if given is not None:
        return split_for_given(matrix, layer.bias, given, metric)
    return split_plain(matrix) if min(matrix.shape) <= WIDEST else None


def _pair_shapes(shape: LayerShape, kind: Kind, rank: int) -> tuple[LayerShape, LayerShape]:
    first = {**msgspec.structs.asdict(shape), "out_channels": rank, "activation": False}
    second = {**msgspec.structs.asdict(shape), "in_channels": rank, "in_size": shape.out_size}
    if kind == "spatial":
        between = (shape.out_size[0], shape.in_size[1])
        for fields, side in ((first, 1), (second, 0)):
            for key in ("kernel", "stride", "dilation"):
                fields[key] = tuple(1 if axis == side else value for axis, value in enumerate(fields[key]))
        return LayerShape(**first | {"out_size": between}), LayerShape(**second | {"in_size": between})
    return LayerShape(**first), LayerShape(**second | {"kernel": (1, 1), "stride": (1, 1), "dilation": (1, 1)})


def _replace(
    module: nn.Module, example: tuple[Tensor, ...], name: str, layer: Layer, options: list[_Option], *, forced: bool
) -> Factored:
    if not options:
        return _kept(name, layer, f"more than {WIDEST} numbers are read and given")
    best = options[0]
    if best.cost > PAYS and not forced:
        keeps = best.split.energy(best.rank)
        return _kept(
            name, layer, f"rank {best.rank}, which keeps {keeps:.3f}, would cost {best.cost:.2f} times as much"
        )
    both = pair(layer, best.kind, best.split, best.rank)
    module.set_submodule(name, both)
    try:
        with torch.no_grad():
            module(*example)
    except (AttributeError, TypeError, RuntimeError) as error:
        module.set_submodule(name, layer)
        return _kept(
            name, layer, f"the model does not run with two layers in its place: {' '.join(str(error).split())[:160]}"
        )
    return Factored(name, best.kind, best.rank, best.split.energy(best.rank), _count(layer), _count(both), best.cost)


def _kept(name: str, layer: nn.Module, why: str) -> Factored:
    return Factored(name, "kept", 0, 1.0, _count(layer), _count(layer), note=why)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _macs(shape: LayerShape) -> float:
    return float(shape.macs)
