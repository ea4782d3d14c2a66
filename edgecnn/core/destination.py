"""Destination: what `--target` names. A target that compiles here, a scheme alone, or a board and all it can run."""

from dataclasses import dataclass, field, replace

from edgecnn.core import shared
from edgecnn.core.device import Device, EngineSupport, load_device
from edgecnn.core.errors import InputError
from edgecnn.core.registry import SCHEMES, TARGETS, nearest

# A scheme's engine where the scheme's name does not begin with it.
_ENGINES = {"qnn": "onnxruntime-qnn", "xnnpack": "onnxruntime-xnnpack"}
_SCHEMES_OF = {engine: scheme for scheme, engine in _ENGINES.items()}
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
        board: the device that it was named as; None where a target or a scheme was named.
        support: the board's engine that it is.
    """

    name: str
    scheme: str
    engine: str
    target: str | None
    board: Device | None = field(default=None, compare=False)
    support: EngineSupport | None = field(default=None, compare=False)


def destinations(name: str, *, floats: bool = False) -> list[Destination]:
    """Return what `name` stands for: one destination for a target or scheme, for a board one an engine with INT8.

    With `floats` a board stands for all engines that it runs, those without INT8 included.

    Raises:
        InputError: no target, scheme or board is called so, or edgecnn has nothing for the board's engines.
    """
    if name in TARGETS:
        return [_of_target(name)]
    if name in SCHEMES:
        return [_of_scheme(name, _ENGINES.get(name, name.partition("_")[0]))]
    if not name.endswith((".yaml", ".yml")) and "/" not in name and name not in shared.names("devices"):
        known = [*TARGETS, *SCHEMES, *shared.names("devices")]
        raise InputError(f"unknown target '{name}'{nearest(name, known)}")
    device = load_device(name)
    wanted = [support for support in device.engines if floats or "int8" in support.precisions]
    found = {place.name: place for support in wanted for place in places_on(device, support)}
    if not found:
        engines = ", ".join(sorted({support.engine for support in device.engines}))
        if not wanted:
            raise InputError(
                f"{device.name}: none of its engines has INT8 units ({engines}); take FP16: edgecnn compile MODEL.onnx "
                f"--target {device.name} --precision fp16"
            )
        what = "target" if floats else "INT8 scheme"
        raise InputError(f"{device.name}: edgecnn has no {what} for its engines yet ({engines})")
    return list(found.values())


def places_on(device: Device, support: EngineSupport) -> list[Destination]:
    """Return the destination that an engine on a unit of a board is; none where edgecnn has nothing for it."""
    name = _name_on(device, support)
    if name not in SCHEMES and name not in TARGETS:
        return []
    place = _of_scheme(name, support.engine) if name in SCHEMES else _of_target(name)
    return [replace(place, board=device, support=support)]


def _of_target(name: str) -> Destination:
    return Destination(name, TARGETS[name].scheme, TARGETS[name].engine, name)


def _of_scheme(name: str, engine: str) -> Destination:
    same = [target for target, row in TARGETS.items() if (row.scheme, row.engine) == (name, engine)]
    if not same:
        return Destination(name, name, engine, None)
    return _of_target(name if name in same else same[0])


def _name_on(device: Device, support: EngineSupport) -> str:
    """Return how the scheme, or the target where that has another name, of an engine of a board is called."""
    if support.engine == "openvino":
        return f"openvino_{support.unit}"
    if support.engine == "tensorrt":
        # DLA has rules of its own, which are not TensorRT's on the GPU.
        version = device.software.tensorrt.value if device.software.tensorrt else None
        return f"tensorrt_{version.partition('.')[0]}" if version and support.unit == "gpu" else ""
    if support.engine == "onnxruntime":
        if device.arch == "aarch64":
            return "onnxruntime_arm"
        isa = device.cpu.isa.value or ""
        return "onnxruntime_x86" if any(flag in isa for flag in _VNNI) else "onnxruntime_avx2"
    return _SCHEMES_OF.get(support.engine, support.engine)
