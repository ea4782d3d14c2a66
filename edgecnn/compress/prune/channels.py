"""Which channels of which layers go together, read off torch-pruning's dependency graph.

The graph (DepGraph: Fang et al., arXiv 2301.12900) says which channel of one layer is which channel of the next. Every
channel is a point, every such saying an edge, and what hangs together can only be cut together. The graph's own groups
are not used: they mix channels that are bound to different layers, and know neither blocks nor chunks.
"""

import copy
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch_pruning._helpers import _HybridIndex

from edgecnn.compress.prune.dependency_graph import OUTPUT, chunk, graph_of, opaque
from edgecnn.compress.prune.group import Group, Member
from edgecnn.core.errors import InputError, line_of
from edgecnn.models.layer_channels import IN, OUT, layer_of

Place = tuple[int, str]  # a node of the graph and a side of it
Point = tuple[int, str, int]  # and a channel there


def trace(module: nn.Module, example: tuple[Tensor, ...]) -> tuple[tuple[Group, ...], dict[str, str]]:
    """Return all groups of `module` that the graph finds, unproven, and what it refuses with the reason.

    The same module gives the same groups under the same names, whatever its weights.

    Raises:
        InputError: `module` does not run on `example`.
    """
    try:
        traced = copy.deepcopy(module).eval().requires_grad_(requires_grad=True)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"the network can't be copied: {line_of(error, 200)}") from error
    with torch.enable_grad():
        try:
            traced(*example)
        except Exception as error:
            raise InputError(f"the network does not run on the example: {line_of(error, 200)}") from error
        return _Walk(graph_of(traced, example), traced).groups()


class _Walk:
    """One pass along all edges from every layer's outputs, and the sets that come of it."""

    def __init__(self, graph: Any, module: nn.Module) -> None:
        self.graph = graph
        self.module = module
        self.nodes = list(graph.module2node.values())
        self.number = {id(node): index for index, node in enumerate(self.nodes)}
        self.layers = {
            index: layer for index, node in enumerate(self.nodes) if (layer := layer_of(node.module, node.pruning_dim))
        }
        self.names = _names(module)
        self.tied = _tied(module)
        self.reasons = {
            (index, side): self._reason(index, side) for index in range(len(self.nodes)) for side in (OUT, IN)
        }
        self.parent: dict[Point, Point] = {}
        self.poison: dict[Point, str] = {}
        self.pending: deque[tuple[Place, list[int]]] = deque()

    def groups(self) -> tuple[tuple[Group, ...], dict[str, str]]:
        """Return the groups and what was refused."""
        for index, layer in self.layers.items():
            if layer.root and layer.outputs > 1:
                self._reach((index, OUT), range(layer.outputs))
        while self.pending:
            place, channels = self.pending.popleft()
            self._within(place, channels)
            self._along(place, channels)
        return self._collect()

    def _reach(self, place: Place, channels: Iterable[int]) -> None:
        """Note points not seen before and put them in line."""
        new = [channel for channel in channels if (*place, channel) not in self.parent]
        for channel in new:
            point = (*place, channel)
            self.parent[point] = point
            self._check(point)
        if onward := [channel for channel in new if (*place, channel) not in self.poison]:
            self.pending.append((place, onward))

    def _check(self, point: Point) -> None:
        index, side, channel = point
        layer = self.layers.get(index)
        if reason := self.reasons.get((index, side)):
            self.poison[point] = reason
        elif layer and channel >= (layer.outputs if side == OUT else layer.inputs):
            name = self.names.get(id(self.nodes[index].module), "a layer")
            self.poison[point] = f"its channels can't be followed into {name}"

    def _reason(self, index: int, side: str) -> str:
        """Return why no channel on this side of a node can be cut, or nothing."""
        node, layer = self.nodes[index], self.layers.get(index)
        if not node.outputs and side == OUT:
            return OUTPUT
        if layer and id(node.module) in self.tied:
            return f"{self.names[id(node.module)]} shares its weight with another layer"
        return (layer.reason if layer else "") or opaque(node)

    def _join(self, one: Point, other: Point) -> None:
        a, b = self._root(one), self._root(other)
        if a != b:
            self.parent[max(a, b)] = min(a, b)

    def _root(self, point: Point) -> Point:
        while self.parent[point] != point:
            self.parent[point] = self.parent[self.parent[point]]
            point = self.parent[point]
        return point

    def _within(self, place: Place, channels: list[int]) -> None:
        """Join what one layer holds together: blocks of a grouped layer, the equal parts of a chunk."""
        layer = self.layers.get(place[0])
        size = chunk(self.nodes[place[0]])
        if layer:
            self._connect(place, [(i, (place[0], side), j) for i in channels for side, j in layer.bound(place[1], i)])
        elif size:
            self._connect(place, [(i, place, j) for i in channels for j in size(i)])

    def _along(self, place: Place, channels: list[int]) -> None:
        """Follow every edge that leaves `place`."""
        node = self.nodes[place[0]]
        for edge in node.dependencies:
            if not edge.is_triggered_by(self._handler(node, place[1])):
                continue
            there = (self.number[id(edge.target)], self._side(edge))
            target = self.layers.get(there[0])
            if target and there[1] == OUT and target.outputs == 1:
                continue  # one channel that is broadcast over many: it stays whatever they do
            arrived = [_HybridIndex(idx=i, root_idx=i) for i in channels]
            for mapping in edge.index_mapping:
                arrived = mapping(arrived) if mapping is not None else arrived
            self._connect(place, [(pair.root_idx, there, pair.idx) for pair in arrived if pair.root_idx is not None])

    def _connect(self, place: Place, edges: list[tuple[int, Place, int]]) -> None:
        """Join channels of `place` with channels elsewhere, all those reached first, so that each is followed once."""
        ends: dict[Place, dict[int, None]] = defaultdict(dict)
        for _, there, j in edges:
            ends[there][j] = None
        for there, channels in ends.items():
            self._reach(there, channels)
        for i, there, j in edges:
            self._join((*place, i), (*there, j))

    def _handler(self, node: Any, side: str) -> Any:
        pruner = self.graph.get_pruner_of_module(node.module)
        return pruner.prune_out_channels if side == OUT else pruner.prune_in_channels

    def _side(self, edge: Any) -> str:
        pruner = self.graph.get_pruner_of_module(edge.target.module)
        return OUT if edge.handler == pruner.prune_out_channels else IN

    def _collect(self) -> tuple[tuple[Group, ...], dict[str, str]]:
        """Put together the sets that run through the same layers in the same way."""
        sets: dict[Point, dict[tuple[int, str], list[int]]] = defaultdict(lambda: defaultdict(list))
        reasons: dict[Point, str] = {}
        for point in self.parent:
            root = self._root(point)
            if reason := self.poison.get(point):
                reasons[root] = reason if reason == OUTPUT else reasons.get(root, reason)
            if point[0] in self.layers:
                sets[root][point[:2]].append(point[2])
        alike: dict[tuple[Any, ...], list[dict[tuple[int, str], list[int]]]] = defaultdict(list)
        for root, places in sets.items():
            key = (reasons.get(root, ""), *sorted((*place, len(found)) for place, found in places.items()))
            alike[key].append(places)
        return self._named(alike)

    def _named(self, alike: dict[tuple[Any, ...], list[Any]]) -> tuple[tuple[Group, ...], dict[str, str]]:
        order = {name: index for index, name in enumerate(self.names.values())}
        found, refused = [], {}
        for (reason, *_), sets in alike.items():
            group = self._group(sets, order)
            found.append((order[group.name], group, reason or _too_narrow(group)))
        groups = []
        taken: dict[str, int] = defaultdict(int)
        for _, group, reason in sorted(found, key=lambda item: (item[0], _first(item[1]))):
            taken[group.name] += 1
            name = group.name if taken[group.name] == 1 else f"{group.name}:{taken[group.name]}"
            if reason:
                refused[name] = reason
            else:
                groups.append(Group(name, group.channels, 1, group.outs, group.ins, group.blocks, group.members))
        return tuple(groups), refused

    def _group(self, sets: list[dict[tuple[int, str], list[int]]], order: dict[str, int]) -> Group:
        places = sorted(sets[0], key=lambda place: (order[self._name(place[0])], place[1] == IN))
        lead = next(place for place in places if place[1] == OUT)
        sets = sorted(sets, key=lambda places: min(places[lead]))
        members, blocks = [], {}
        widths: dict[str, dict[str, int]] = {OUT: {}, IN: {}}
        for place in places:
            name, layer = self._name(place[0]), self.layers[place[0]]
            indices = torch.tensor([sorted(one[place]) for one in sets])
            members.append(Member(name, place[1], indices))
            widths[place[1]][name] = indices.shape[1]
            if layer.through and layer.root:
                widths[IN][name] = indices.shape[1]
            if place[1] == OUT and (lost := layer.blocks_lost(indices.shape[1])):
                blocks[name] = lost
        return Group(self._name(lead[0]), len(sets), 1, widths[OUT], widths[IN], blocks, tuple(members))

    def _name(self, index: int) -> str:
        return self.names[id(self.nodes[index].module)]


def _names(module: nn.Module) -> dict[int, str]:
    """Return the names of all modules and parameters by their identity, in the order the modules stand in."""
    return {id(one): name for name, one in (*module.named_modules(), *module.named_parameters())}


def _first(group: Group) -> int:
    return int(group.members[0].indices.min())


def _too_narrow(group: Group) -> str:
    return "it has one channel only" if group.channels == 1 else ""


def _tied(module: nn.Module) -> set[int]:
    """Return the identities of layers whose parameters belong to another layer as well."""
    owners: dict[int, set[int]] = defaultdict(set)
    for layer in module.modules():
        for parameter in layer.parameters(recurse=False):
            owners[id(parameter)].add(id(layer))
    return {layer for those in owners.values() if len(those) > 1 for layer in those}
