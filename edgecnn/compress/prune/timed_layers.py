"""A network's layers with their times: the points needed of each, asked for all at once, guessed where missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgecnn.compress.prune.group import Group
from edgecnn.compress.prune.surface import Surface
from edgecnn.compress.prune.widths import candidates
from edgecnn.core.errors import InputError
from edgecnn.core.layer_times import LayerTimes
from edgecnn.core.layers import LayerShape
from edgecnn.core.measure import How

KINDS = ("conv", "pointwise", "depthwise", "linear")
MAC_WEIGHT = 1 / 8
"""Time of a multiply-add as a share of that of a moved number, for layers that were not timed."""


@dataclass(frozen=True)
class Layer:
    """A layer with its times and with what it loses by a channel of each group, by the group's place.

    Attributes:
        name: the module's.
        surface: its times.
        kind: its place in `KINDS`.
        ins: input channels lost a channel of the group at each place.
        outs: output channels, likewise.
    """

    name: str
    surface: Surface
    kind: int
    ins: Mapping[int, int]
    outs: Mapping[int, int]

    def channels(self, gone: Sequence[int]) -> tuple[int, int]:
        """Return the channels in and out where each group has lost so many channels."""
        full = self.surface.full
        inputs = full.in_channels - sum(each * gone[place] for place, each in self.ins.items())
        return inputs, full.out_channels - sum(each * gone[place] for place, each in self.outs.items())


def timed_layers(
    shapes: Mapping[str, tuple[LayerShape, ...]],
    groups: Sequence[Group],
    times: LayerTimes,
    floor: float,
    align: int | None,
) -> list[Layer]:
    """Return every layer of a network with its times at the widths that `groups` may come down to.

    A layer that `times` does not know gets a time by its work, at the rate of those that it knows.

    Raises:
        InputError: `times` knows none of the layers.
    """
    layers = [layer for name, calls in shapes.items() for layer in _layers(name, calls, groups, floor, align)]
    times.prepare(_in_turn([layer.surface for layer in layers]))
    known = [layer.surface for layer in layers if layer.surface.fill(times)]
    if not known:
        raise InputError(f"the layer times of {times.on} hold none of this network's layers; measure them there again")
    spent = sum(surface.time_ms(surface.full.in_channels, surface.full.out_channels) for surface in known)
    guess = _Guess(spent / sum(_work(surface.full) for surface in known), times)
    for layer in layers:
        if layer.surface not in known:
            layer.surface.fill(guess)
    return layers


def _layers(
    name: str, calls: Sequence[LayerShape], groups: Sequence[Group], floor: float, align: int | None
) -> list[Layer]:
    ins = {place: group.ins[name] for place, group in enumerate(groups) if name in group.ins}
    outs = {place: group.outs[name] for place, group in enumerate(groups) if name in group.outs}
    blocks = any(name in group.blocks for group in groups)
    found = []
    for shape in calls:
        inputs = _reachable(shape.in_channels, ins, groups, floor, align)
        outputs = _reachable(shape.out_channels, outs, groups, floor, align)
        found.append(
            Layer(name, Surface(shape, inputs, outputs, blocks=blocks or shape.depthwise), _kind(shape), ins, outs)
        )
    return found


def _reachable(
    full: int, sides: Mapping[int, int], groups: Sequence[Group], floor: float, align: int | None
) -> list[int]:
    """Return channel counts of a layer's side: for one group all it may have, for several those at like shares."""
    if not sides:
        return [full]
    widths = {place: candidates(groups[place], floor, align) for place in sides}
    longest = max(len(each) for each in widths.values())
    counts = set()
    for step in range(longest):
        gone = 0
        for place, each in sides.items():
            here = widths[place]
            width = here[round(step * (len(here) - 1) / max(longest - 1, 1))]
            gone += each * (groups[place].channels - width)
        counts.add(full - gone)
    return sorted(counts)


def _kind(shape: LayerShape) -> int:
    if shape.op == "linear":
        return KINDS.index("linear")
    if shape.depthwise:
        return KINDS.index("depthwise")
    return KINDS.index("pointwise" if shape.kernel == (1, 1) else "conv")


def _in_turn(surfaces: Sequence[Surface]) -> list[LayerShape]:
    """Return the points of all surfaces, the first of each, the second of each, and so on."""
    rows = [list(surface.points) for surface in surfaces]
    return [row[i] for i in range(max(map(len, rows), default=0)) for row in rows if i < len(row)]


class _Guess:
    """Layer times by work alone."""

    def __init__(self, rate: float, times: LayerTimes) -> None:
        self._rate, self._times = rate, times

    @property
    def how(self) -> How:
        return self._times.how

    @property
    def on(self) -> str:
        return self._times.on

    def prepare(self, shapes: Iterable[LayerShape]) -> None:
        """Do nothing."""

    def time_ms(self, shape: LayerShape) -> float:
        return self._rate * _work(shape)


def _work(shape: LayerShape) -> float:
    return shape.moved + MAC_WEIGHT * shape.macs
