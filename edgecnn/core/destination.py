"""Destination: what `--target` names. A target that compiles here, a scheme alone, or a board and all it can run."""

from dataclasses import dataclass

from edgecnn.core import shared
from edgecnn.core.device import Device, EngineSupport, load_device
from edgecnn.core.errors import InputError
from edgecnn.core.registry import SCHEMES, TARGETS, nearest

# A scheme's engine where the scheme's name does not begin with it.
_ENGINES = {"qnn": "onnxruntime-qnn", "xnnpack": "onnxruntime-xnnpack"}
_VNNI = ("vnni", "amx_int8")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an INT8 model is to run.

    Attributes:
        name: how artefacts for it are called: `<name>-int8`.
        scheme: its quantization scheme, by name.
        engine: the engine that will run it, by the registry's name or, where edgecnn has none yet, its own.
        target: the registry's target that compiles for it; None where edgecnn has none yet. Whether its engine runs on
            this machine is another question.
    """

    name: str
    scheme: str
    engine: str
    target: str | None


def destinations(name: str) -> list[Destination]:
    """Return what `name` stands for: one destination for a target or scheme, for a board one an engine with INT8.

    Raises:
        InputError: no target, scheme or board is called so, or no scheme fits the board.
    """
    if name in TARGETS:
        return [_of_target(name)]
    if name in SCHEMES:
        same = [target for target, row in TARGETS.items() if row.scheme == name]
        return [_of_target(same[0]) if same else _of_scheme(name)]
    if not name.endswith((".yaml", ".yml")) and "/" not in name and name not in shared.names("devices"):
        known = [*TARGETS, *SCHEMES, *shared.names("devices")]
        raise InputError(f"unknown target '{name}'{nearest(name, known)}")
    device = load_device(name)
    found = {scheme: None for support in device.engines if (scheme := _scheme_on(device, support)) in SCHEMES}
    if not found:
        engines = ", ".join(sorted({support.engine for support in device.engines}))
        raise InputError(f"{device.name}: edgecnn has no INT8 scheme for its engines yet ({engines})")
    return [destination for scheme in found for destination in destinations(str(scheme))]


def _of_target(name: str) -> Destination:
    return Destination(name, TARGETS[name].scheme, TARGETS[name].engine, name)


def _of_scheme(name: str) -> Destination:
    return Destination(name, name, _ENGINES.get(name, name.partition("_")[0]), None)


def _scheme_on(device: Device, support: EngineSupport) -> str | None:
    """Return the name that the scheme for an engine of a board has, None where there is no INT8 on it."""
    if "int8" not in support.precisions:
        return None
    if support.engine == "openvino":
        return f"openvino_{support.unit}"
    if support.engine == "tensorrt":
        # DLA has rules of its own, which are not TensorRT's on the GPU.
        version = device.software.tensorrt.value if device.software.tensorrt else None
        return f"tensorrt_{version.partition('.')[0]}" if version and support.unit == "gpu" else None
    if support.engine == "onnxruntime":
        if device.arch == "aarch64":
            return "onnxruntime_arm"
        isa = device.cpu.isa.value or ""
        return "onnxruntime_x86" if any(flag in isa for flag in _VNNI) else "onnxruntime_avx2"
    return {"onnxruntime-qnn": "qnn"}.get(support.engine, support.engine)
