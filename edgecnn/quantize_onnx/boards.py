"""What the boards named as targets can't run, told before any work on it, and the opset that each reads."""

from collections.abc import Sequence

from edgecnn.compile.model_facts import model_facts
from edgecnn.core.bundle import Precision
from edgecnn.core.destination import Destination, destinations
from edgecnn.core.device import Device
from edgecnn.core.device_rules import refusals
from edgecnn.core.errors import InputError
from edgecnn.core.registry import TARGETS
from edgecnn.export.prepare import OLDEST_OUT
from edgecnn.quantize_onnx.options import Options
from edgecnn.quantize_onnx.source import ANY_OPSET, Source


def named(options: Options) -> list[Destination]:
    """Return what the options' targets stand for, each once: a board for all of its engines.

    Raises:
        InputError: no target is named, or one is not known.
    """
    found = [place for name in options.targets for place in destinations(name, floats=True)]
    if not found:
        raise InputError("name at least one --target")
    return found


def newest_opset(place: Destination) -> int:
    """Return the newest opset that is read there: by the target's compiler, and by the TensorRT of a board."""
    return min(board_opset(place), ANY_OPSET if place.target is None else TARGETS[place.target].opset)


def board_opset(place: Destination) -> int:
    """Return the newest opset that the TensorRT of a board reads; any, where the place is none."""
    return tensorrt_opset(place.board) if place.board is not None and place.engine == "tensorrt" else ANY_OPSET


def tensorrt_opset(device: Device) -> int:
    """Return the newest opset that a device's TensorRT reads, 13 or later; any, where it has none."""
    limit = device.software.onnx_opset_max
    return ANY_OPSET if limit is None or limit.value is None else max(OLDEST_OUT, int(limit.value))


def able(source: Source, places: Sequence[Destination], precision: Precision, notes: list[str]) -> list[Destination]:
    """Return the places that can run the model in `precision`, each once; the others go into `notes`, with why.

    Raises:
        InputError: no place can.
    """
    found, refused = {}, []
    for place in places:
        blocked, told = _told(place, source, precision)
        notes += [note for note in told if note not in notes]
        if blocked:
            refused += blocked
        else:
            found[place.target or place.name] = place
    notes += [f"left out: {text}" for text in dict.fromkeys(refused)] if found else []
    if not found:
        raise InputError("; ".join(dict.fromkeys(refused)))
    return list(found.values())


def _told(place: Destination, source: Source, precision: Precision) -> tuple[list[str], list[str]]:
    """Return what blocks the model at `place`, and what only has to be known."""
    if place.board is None or place.support is None:
        return [], []
    head = f"{place.board.name}, {place.support.engine} on {place.support.unit}"
    try:
        model = source.model(most=newest_opset(place))
    except InputError as error:
        return [f"{head}: {error}"], []
    broken = refusals(place.board, place.support, model_facts(model, precision))
    blocked = [f"{head}: {one.text()}" for one in broken if one.blocks]
    return blocked[:1], [f"{head}: {one.text()}" for one in broken if not one.blocks]
