"""Replay: what was decided for one target taken over for another, or for the same one again, without a search."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from edgecnn.compress.quantize.histogram import Histogram
from edgecnn.compress.quantize.plan import KEPT
from edgecnn.compress.quantize.ranges import widen
from edgecnn.compress.quantize.trials import Choice, Group
from edgecnn.core.evidence import QuantizedModel, QuantizedTensor

DECIDED = "in float as decided for"
"""How the reason begins why a node is in float that a replay left there; the record's artefact follows."""
AGREED = 0.05
"""How far the ends of a tensor's values may lie from the recorded ones, as a share of the recorded span."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a record decides, apart from what the rules of its own scheme do.

    Attributes:
        origin: the artefact it is of.
        nodes: the nodes of its network that compute.
        keep_float: those that a search or the user left in float.
        tensors: its quantized tensors by name.
        operators: by name those of all nodes, where the record tells; they tell forms of a network apart.
    """

    origin: str
    nodes: frozenset[str]
    keep_float: tuple[str, ...]
    tensors: Mapping[str, QuantizedTensor]
    operators: Mapping[str, str] = field(default_factory=dict)

    def known(self, names: Collection[str]) -> int:
        """Return how many of the record's nodes are among `names`."""
        return len(self.nodes.intersection(names))

    def differences(self, operators: Mapping[str, str]) -> int:
        """Return in how many nodes a network with `operators`, by node name, is not the one recorded."""
        return len(operators.items() ^ self.operators.items())

    def reasons(self, left_in_float: Mapping[str, str]) -> dict[str, str]:
        """Return why each node is in float, with one reason for all that a replay left there."""
        own = dict.fromkeys(self.keep_float, f"{DECIDED} {self.origin}")
        kept = {name for name, why in left_in_float.items() if why.startswith(f"{KEPT} ")}
        return {name: own.get(name, why) if name in kept else why for name, why in left_in_float.items()}


def decisions_of(record: QuantizedModel) -> Decisions:
    """Return what was decided in a record.

    What its scheme could not quantize, or found no gain in, is no decision: another scheme has other rules.
    """
    chosen = [name for name, one in record.decisions.items() if one.precision == "float"]
    kept = [
        name
        for name, why in record.left_in_float.items()
        if name in record.decisions or why.startswith((f"{KEPT} ", f"{DECIDED} "))
    ]
    nodes = frozenset((*record.quantized, *record.left_in_float, *record.decisions))
    keep_float = tuple(dict.fromkeys((*chosen, *kept)))
    operators = {layer.name: layer.op for layer in record.drift.layers} if record.drift is not None else {}
    return Decisions(PurePosixPath(record.file).stem, nodes, keep_float, record.tensors, operators)


def recorded_choice(
    group: Group, histograms: Mapping[str, Histogram], recorded: Mapping[str, QuantizedTensor]
) -> Choice | None:
    """Return the least range that the group's format can hold around those recorded for its tensors.

    None where a tensor is not recorded, or takes other values now than it took then: then the record is of another
    form of the network (equalized, say), of other weights, or of other frames.
    """
    found = [recorded.get(name) for name in group.tensors]
    known = [one for one in found if one is not None]
    if len(known) < len(found) or not all(map(_fits, known, (histograms[name] for name in group.tensors))):
        return None
    # A symmetric format holds more than the values take; another format need not.
    low = min(max(one.low, min(one.seen_min, 0.0)) for one in known)
    high = max(min(one.high, max(one.seen_max, 0.0)) for one in known)
    return Choice(*widen(low, high, group.form), _method(known))


def _fits(one: QuantizedTensor, seen: Histogram) -> bool:
    allowed = AGREED * (max(one.seen_max, 0.0) - min(one.seen_min, 0.0))
    ends = abs(one.seen_min - seen.seen_min), abs(one.seen_max - seen.seen_max)
    return one.low < one.high and max(ends) <= allowed


def _method(known: Sequence[QuantizedTensor]) -> str:
    methods = dict.fromkeys(one.method for one in known)
    return next(iter(methods)) if len(methods) == 1 else "recorded"
