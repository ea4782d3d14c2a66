"""Low rank: large linear and convolution layers as two small ones, where that is less work.

The rank keeps at least the wanted share of the variance of the layer's answers on calibration inputs, as far as the
network's outputs move with them (`low_rank_split`). A convolution can be split over its channels or along its kernel.
Of the ways and ranks that keep enough the one that costs least is taken, and the best of those that cost the same.
"""

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
from edgecnn.core.errors import InputError, line_of
from edgecnn.core.layer_times import LayerTimes
from edgecnn.core.layers import LayerShape
from edgecnn.core.registry import nearest

Layer = nn.Conv2d | nn.Linear
Cost = Callable[[LayerShape], float | None]
Unit = Literal["time", "multiply-adds", ""]
Calls = tuple[LayerShape, ...]  # of one layer on one frame, nearly always one

FEWEST_WEIGHTS = 1 << 14
WIDEST = 8192  # a covariance of that many numbers takes half a gigabyte
PAYS = 0.9
"""Two layers must cost at most this share of the one they replace: what a prediction is sure of, and a call more."""
RANKS_ABOVE = 4
"""How many ranks beyond the one that keeps enough are looked at: engines gain nothing from some numbers of channels."""
ALIKE = 1.02
"""Costs that differ by less are the same, as far as timing tells, and the rank that keeps more is taken."""


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
        cost: their cost against that of the one layer.
        note: why it was kept; empty otherwise.
        unit: what the choice was made by; empty where nothing was to be chosen.
    """

    name: str
    kind: Literal["svd", "channel", "spatial", "kept"]
    rank: int
    energy: float
    parameters_before: int
    parameters_after: int
    cost: float = 1.0
    note: str = ""
    unit: Unit = ""


@dataclass(frozen=True)
class _Way:
    """One way to split a layer, `energy` being what it keeps and `pairs` the two layers of each call."""

    kind: Kind
    rank: int
    energy: float
    pairs: Calls


@dataclass(frozen=True)
class _Option:
    way: _Way
    cost: float
    unit: Unit


def factorize(
    module: nn.Module,
    example: tuple[Tensor, ...],
    *,
    energy: float | None = None,
    ranks: Mapping[str, int] | None = None,
    inputs: Iterable[tuple[Tensor, ...]] | None = None,
    times: LayerTimes | None = None,
    align: int = 8,
    smallest: int = FEWEST_WEIGHTS,
    keep: Collection[str] = (),
) -> tuple[nn.Module, list[Factored]]:
    """Return a copy of `module` with large layers split in two, and what became of each layer that was looked at.

    Args:
        module: left as it is; the copy is in its mode, training or eval.
        example: the module's inputs, tensors [1, ...].
        energy: share in (0, 1] of the variance of a layer's answers to keep; every large layer is split that gets
            cheaper by it. Its rank is a multiple of `align`, and larger than it need be where that costs nothing.
        ranks: instead of `energy`, the layers to split and the rank of each.
        inputs: calibration inputs of the module, each like `example`. Without them every direction of what a layer
            reads counts alike, and more rank is needed for the same loss.
        times: of layers on the target, asked for all at once. Without them, and for a layer of which they know too
            little, multiply-adds decide.
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
    ways = {
        name: _ways(name, _layer(new, name), calls, found, (energy, ranks), align) for name, calls in shapes.items()
    }
    if times is not None:
        times.prepare(_in_turn(shapes, ways))
    rows = []
    for name, calls in shapes.items():
        options = _options(calls, ways[name], times, forced=ranks is not None)
        rows.append(_replace(new, example, name, options, found, forced=ranks is not None))
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


def _layer(module: nn.Module, name: str) -> Layer:
    layer = module.get_submodule(name)
    assert isinstance(layer, (nn.Conv2d, nn.Linear))  # noqa: S101 - `_look` takes no others
    return layer


def _ways(
    name: str,
    layer: Layer,
    calls: Calls,
    found: Responses,
    wanted: tuple[float | None, Mapping[str, int] | None],
    align: int,
) -> list[list[_Way]]:
    """Return for each kind of split the ways that keep enough, by rising rank; of a given rank, that one."""
    kinds: tuple[Kind, ...] = ("svd",) if calls[0].kernel == (1, 1) else ("channel",)
    kinds += ("spatial",) if _separable(calls[0]) else ()
    energy, ranks = wanted
    ways = []
    for kind in kinds:
        split = _split(name, layer, kind, found)
        if split is None:
            continue
        most = len(split.power)
        if ranks is not None:
            tried = [min(max(ranks[name], 1), most)]
        else:
            least = -(-split.rank_for(energy or 1.0) // align)
            tried = sorted({min(align * (least + more), most) for more in range(RANKS_ABOVE + 1)})
        pairs = [tuple(part for shape in calls for part in _pair_shapes(shape, kind, rank)) for rank in tried]
        ways.append([_Way(kind, rank, split.energy(rank), both) for rank, both in zip(tried, pairs, strict=True)])
    return ways


def _in_turn(shapes: Mapping[str, Calls], ways: Mapping[str, list[list[_Way]]]) -> list[LayerShape]:
    """Return all shapes to be timed: first those without which nothing can be said of a layer."""
    first = [
        shape for name in ways for shape in (*shapes[name], *(part for kind in ways[name] for part in kind[0].pairs))
    ]
    return [*first, *(part for kinds in ways.values() for kind in kinds for way in kind[1:] for part in way.pairs)]


def _options(calls: Calls, ways: Sequence[Sequence[_Way]], times: LayerTimes | None, *, forced: bool) -> list[_Option]:
    """Return the ways to split a layer, best first."""
    flat = [way for kind in ways for way in kind]
    options = _priced(calls, flat, times.time_ms, "time") if times is not None else []
    options = options or _priced(calls, flat, _macs, "multiply-adds")
    if forced:
        return sorted(options, key=lambda option: -option.way.energy)
    least = min((option.cost for option in options), default=0.0)
    limit = max(least, min(ALIKE * least, PAYS))
    return sorted(options, key=lambda option: (option.cost > limit, -option.way.energy))


def _priced(calls: Calls, ways: Sequence[_Way], cost: Cost, unit: Unit) -> list[_Option]:
    """Return those of `ways` whose cost is known; none where the layer's own is not."""
    whole = _sum(cost, calls)
    if whole is None:
        return []
    prices = ((way, _sum(cost, way.pairs)) for way in ways)
    return [_Option(way, price / max(whole, 1e-12), unit) for way, price in prices if price is not None]


def _sum(cost: Cost, shapes: Calls) -> float | None:
    found = [cost(shape) for shape in shapes]
    known = [one for one in found if one is not None]
    return sum(known) if len(known) == len(found) else None


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
    module: nn.Module,
    example: tuple[Tensor, ...],
    name: str,
    options: Sequence[_Option],
    found: Responses,
    *,
    forced: bool,
) -> Factored:
    layer = _layer(module, name)
    if not options:
        return _kept(name, layer, f"more than {WIDEST} numbers are read and given")
    best, way = options[0], options[0].way
    if best.cost > PAYS and not forced:
        why = f"rank {way.rank}, which keeps {way.energy:.3f}, would cost {best.cost:.2f} times as much"
        return _kept(name, layer, why, best.unit)
    # Made again, since the splits of all layers at once would not fit into memory.
    split = _split(name, layer, way.kind, found)
    assert split is not None  # noqa: S101 - it was there when the way was found
    both = pair(layer, way.kind, split, way.rank)
    module.set_submodule(name, both)
    try:
        with torch.no_grad():
            module(*example)
    except (AttributeError, TypeError, RuntimeError) as error:
        module.set_submodule(name, layer)
        told = line_of(error, 160)
        return _kept(name, layer, f"the model does not run with two layers in its place: {told}", best.unit)
    return Factored(name, way.kind, way.rank, way.energy, _count(layer), _count(both), best.cost, unit=best.unit)


def _kept(name: str, layer: nn.Module, why: str, unit: Unit = "") -> Factored:
    return Factored(name, "kept", 0, 1.0, _count(layer), _count(layer), note=why, unit=unit)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _macs(shape: LayerShape) -> float:
    return float(shape.macs)
