"""What a recipe's `targets` stand for: targets as they are, schemes and boards as the targets behind them."""

from collections.abc import Iterable, Sequence

from edgecnn.core.bundle import Precision
from edgecnn.core.destination import Destination, destinations
from edgecnn.core.device_rules import ModelFacts, refusals
from edgecnn.core.errors import InputError
from edgecnn.core.registry import TARGETS

INPUT = {"image": "uint8"}
"""What a network of a recipe takes: camera frames as they are."""


def targets_of(names: Iterable[str], *, quantized: bool) -> tuple[str, ...]:
    """Return the registry's targets that `names` stand for, each once; `quantized` asks a board for INT8 too.

    Raises:
        InputError: a name is not known, edgecnn has no compiler for its engine, or the board can't run what a recipe
            makes; the message says what works instead.
    """
    found: dict[str, None] = {}
    for name in names:
        places = destinations(name, floats=not quantized)
        refused = [why for place in places if (why := _refused(place, ("fp32", "int8") if quantized else ("fp32",)))]
        able = [place for place in places if place.target is not None and not _refused(place, ("fp32",))]
        if not able:
            raise InputError(refused[0] if refused else f"edgecnn has no compiler for '{name}' yet")
        found |= dict.fromkeys(str(place.target) for place in able)
    return tuple(found)


def _refused(place: Destination, precisions: Sequence[Precision]) -> str:
    if place.board is None or place.support is None:
        return ""
    opset = TARGETS[place.target].opset if place.target is not None else 0
    broken = [
        one
        for precision in precisions
        for one in refusals(place.board, place.support, ModelFacts(precision, opset, inputs=INPUT))
        if one.blocks
    ]
    return f"{place.board.name}, {place.support.engine} on {place.support.unit}: {broken[0].text()}" if broken else ""
