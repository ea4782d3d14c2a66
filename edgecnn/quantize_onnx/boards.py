"""What the boards named as targets can't run, told before any work on it, and the opset that they all read."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edgecnn.compile.model_facts import model_facts
from edgecnn.core.bundle import Precision
from edgecnn.core.destination import Destination, destinations
from edgecnn.core.device_rules import refusals
from edgecnn.core.errors import InputError
from edgecnn.export.prepare import OLDEST_OUT, USUAL_OUT
from edgecnn.quantize_onnx.options import Options
from edgecnn.quantize_onnx.source import Source


def named(options: Options) -> list[Destination]:
    """Return what the options' targets stand for, each once: a board for all of its engines.

    Raises:
        InputError: no target is named, or one is not known.
    """
    found = [place for name in options.targets for place in destinations(name, floats=True)]
    if not found:
        raise InputError("name at least one --target")
    return found


def with_opset(options: Options, places: Sequence[Destination]) -> Options:
    """Return the options with the opset that every board reads, where that is older than models usually get."""
    limits = [place.board.software.onnx_opset_max for place in places if place.board is not None]
    newest = [int(limit.value) for limit in limits if limit is not None and limit.value is not None]
    least = min(newest, default=USUAL_OUT)
    return replace(options, opset=max(OLDEST_OUT, least)) if least < USUAL_OUT else options


def able(source: Source, places: Sequence[Destination], precision: Precision, notes: list[str]) -> list[Destination]:
    """Return the places that can run the model in `precision`, each once; the others go into `notes`, with why.

    Raises:
        InputError: no place can.
    """
    model, found, refused = source.model(), {}, []
    for place in places:
        blocked, told = _told(place, model, precision)
        notes += [note for note in told if note not in notes]
        if blocked:
            refused += blocked
        else:
            found[place.target or place.name] = place
    notes += [f"left out: {text}" for text in dict.fromkeys(refused)] if found else []
    if not found:
        raise InputError("; ".join(dict.fromkeys(refused)))
    return list(found.values())


def _told(place: Destination, model: Any, precision: Precision) -> tuple[list[str], list[str]]:
    """Return what blocks the model at `place`, and what only has to be known."""
    if place.board is None or place.support is None:
        return [], []
    head = f"{place.board.name}, {place.support.engine} on {place.support.unit}"
    broken = refusals(place.board, place.support, model_facts(model, precision))
    blocked = [f"{head}: {one.text()}" for one in broken if one.blocks]
    return blocked[:1], [f"{head}: {one.text()}" for one in broken if not one.blocks]
