"""A network that OpenVINO compiled ahead: it loads faster, on the version and the kind of processor that made it only.

Beside it stands `blob.json`, which says where it belongs, and beside both the network itself, for everywhere else.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import openvino as ov
from openvino import opset13 as op

from edgecnn.core.errors import EngineError
from edgecnn.runtime.engines.openvino_settings import core

BLOB, STAMP = "model.blob", "blob.json"
FIXED = ("precision", "execution_mode", "sparse_weights", "hint", "streams")
"""Options that a compiled network can't be told any more."""


class Stamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a compiled network belongs to: device, OpenVINO's version, processor or driver, and how it was compiled."""

    device: str
    openvino: str
    hardware: str
    options: dict[str, Any]


def stamp_here(device: str, options: Mapping[str, Any]) -> Stamp:
    """Return the stamp of what this machine compiles for `device` with `options`."""
    return Stamp(device, ov.__version__, _hardware(device), {key: options[key] for key in FIXED if key in options})


def why_not(files: Mapping[str, bytes], device: str, options: Mapping[str, Any]) -> str:
    """Return in one line why the compiled network among `files` is not for here; empty if it is.

    Raises:
        EngineError: its stamp is missing or damaged.
    """
    try:
        stamp = msgspec.json.decode(files[STAMP], type=Stamp)
    except (KeyError, msgspec.DecodeError) as error:
        raise EngineError(f"openvino: {BLOB} comes with no readable {STAMP}; compile it again") from error
    if stamp.device != device:
        return f"{BLOB} was compiled for device {stamp.device}, this is {device}"
    here = stamp_here(device, options)
    for what, made, there in (
        ("OpenVINO", stamp.openvino, here.openvino),
        ("hardware", stamp.hardware, here.hardware),
        ("options", _text(stamp.options), _text(here.options)),
    ):
        if made != there:
            return f"{BLOB} was compiled for {what} {made}, this is {there}"
    return ""


def import_blob(data: bytes, device: str, settings: Mapping[str, Any]) -> ov.CompiledModel:
    """Load a compiled network.

    Raises:
        RuntimeError: OpenVINO refused it.
    """
    return core().import_model(data, device, dict(settings))


def _text(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(options.items())) or "as by default"


@cache
def _hardware(device: str) -> str:
    """Return what OpenVINO says a compiled network needs here: the instruction set, or the name of the unit."""
    if device != "CPU":
        return str(core().get_property(device, "FULL_DEVICE_NAME"))
    nothing = op.parameter([1], ov.Type.f32)
    compiled = core().compile_model(ov.Model([op.relu(nothing)], [nothing], "nothing"), device)
    return str(compiled.get_property("RUNTIME_REQUIREMENTS"))
