"""What OpenVINO can be told, as far as the device at hand knows it, and what it says is in force afterwards.

A key that a device does not know is an error there, not a no-op, and which keys it knows depends on its driver: so each
is looked up in the device's own list. AUTO, MULTI and HETERO know few keys themselves and hand the others on.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import openvino as ov
from openvino.properties import hint

from edgecnn.core.errors import EngineError, InputError
from edgecnn.runtime.engines.checks import boolean, one_of, positive

VIRTUAL = frozenset({"AUTO", "MULTI", "HETERO", "BATCH"})
"""Devices that pass the work on to others."""
# Every device takes these, though none lists them all.
_EVERYWHERE = frozenset({"CACHE_DIR", "CACHE_MODE"})


class Setting(NamedTuple):
    """One option: OpenVINO's key for it, what it must be, in words too, and what OpenVINO is given for it."""

    key: str
    accepts: Callable[[Any], bool]
    wants: str
    value: Callable[[Any], Any] = lambda value: value


def _flag(key: str) -> Setting:
    return Setting(key, boolean, "true or false")


def _whole(key: str) -> Setting:
    return Setting(key, positive, "a whole number above 0")


def _one_of(key: str, words: Mapping[str, str]) -> Setting:
    return Setting(key, one_of(*words), ", ".join(words), words.__getitem__)


def _text(key: str, wants: str) -> Setting:
    return Setting(key, lambda value: isinstance(value, str) and bool(value), wants)


_LEVELS = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH"}
SETTINGS: dict[str, Setting] = {
    "threads": _whole("INFERENCE_NUM_THREADS"),
    "streams": _whole("NUM_STREAMS"),
    "hint": _one_of(
        "PERFORMANCE_HINT",
        {"latency": "LATENCY", "throughput": "THROUGHPUT", "cumulative_throughput": "CUMULATIVE_THROUGHPUT"},
    ),
    "requests": _whole("PERFORMANCE_HINT_NUM_REQUESTS"),
    "precision": _one_of("INFERENCE_PRECISION_HINT", {name: name for name in ("f32", "bf16", "f16")}),
    "execution_mode": _one_of("EXECUTION_MODE_HINT", {"performance": "PERFORMANCE", "accuracy": "ACCURACY"}),
    "pinning": _flag("ENABLE_CPU_PINNING"),
    "reservation": _flag("ENABLE_CPU_RESERVATION"),
    "hyper_threading": _flag("ENABLE_HYPER_THREADING"),
    "core_type": _one_of(
        "SCHEDULING_CORE_TYPE", {"any": "ANY_CORE", "performance": "PCORE_ONLY", "efficient": "ECORE_ONLY"}
    ),
    "sparse_weights": Setting(
        "CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1,
        "a share of zeros from 0 to 1",
        float,
    ),
    "profiling": _flag("PERF_COUNT"),
    "priority": _one_of("MODEL_PRIORITY", _LEVELS),
    "queue_priority": _one_of("GPU_QUEUE_PRIORITY", _LEVELS),
    "queue_throttle": _one_of("GPU_QUEUE_THROTTLE", _LEVELS),
    "turbo": _flag("NPU_TURBO"),
    "tiles": _whole("NPU_TILES"),
    "compilation_mode": _text("NPU_COMPILATION_MODE_PARAMS", "the NPU compiler's parameters as one text"),
    "compiler": _one_of("NPU_COMPILER_TYPE", {"driver": "DRIVER", "plugin": "PLUGIN"}),
    "cache_dir": _text("CACHE_DIR", "a folder"),
    "cache_mode": _one_of("CACHE_MODE", {"speed": "OPTIMIZE_SPEED", "size": "OPTIMIZE_SIZE"}),
}
CHECKS = {name: (setting.accepts, setting.wants) for name, setting in SETTINGS.items()}
_REPORTED = {name: setting.key for name, setting in SETTINGS.items() if name not in ("hint", "cache_dir", "cache_mode")}
_REPORTED |= {
    "performance_hint": "PERFORMANCE_HINT",
    "optimal_requests": "OPTIMAL_NUMBER_OF_INFER_REQUESTS",
    "runtime": "RUNTIME_REQUIREMENTS",
}
_NAMED = (hint.ExecutionMode, hint.PerformanceMode, hint.Priority, hint.SchedulingCoreType)


@cache
def core() -> ov.Core:
    """Return OpenVINO's core: one for the process, without settings of its own, since each new one leaks 2 KiB."""
    return ov.Core()


def settings_for(device: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what OpenVINO is told for `options` on `device` (`CPU`, `GPU.1`, `NPU`, `AUTO:NPU,CPU`, ...).

    `latency` is the hint unless asked otherwise, and what is not quantized runs in float32 on a CPU: left alone,
    OpenVINO takes bfloat16 where the CPU has it, and the outputs move. `threads` are for CPUs; others go without.

    Raises:
        EngineError: the device is not on this machine.
        InputError: an option that the device does not know.
    """
    # Not set: CPU_DENORMALS_OPTIMIZATION. It would also flush denormals in the caller's own thread, for good.
    kind, units = _units(device)
    asked = {"hint": "latency", **{name: value for name, value in options.items() if name in SETTINGS}}
    whole: dict[str, Any] = {}
    each: dict[str, dict[str, Any]] = {unit: {} for unit in units if kind in VIRTUAL}
    for name, value in asked.items():
        key, told = SETTINGS[name].key, SETTINGS[name].value(value)
        takers = [unit for unit in each if key in _supported(unit)]
        if key in _EVERYWHERE or key in _supported(kind if kind in VIRTUAL else device):
            whole[key] = told
        elif takers:
            for unit in takers:
                each[unit][key] = told
        elif name not in ("threads", "hint"):
            raise InputError(f"engine 'openvino': device {device} has no option '{name}'; it takes {_taken(units)}")
    if "precision" not in asked:
        _keep_float32(device, whole, each)
    handed = {unit: told for unit, told in each.items() if told}
    return {**whole, "DEVICE_PROPERTIES": handed} if handed else whole


def in_force(compiled: ov.CompiledModel) -> dict[str, Any]:
    """Return the settings that a compiled network reports, by our names; of one on AUTO, its first device's."""
    known = compiled.get_property("SUPPORTED_PROPERTIES")
    devices = list(compiled.get_property("EXECUTION_DEVICES"))
    behind: Mapping[str, Any] = {}
    if "DEVICE_PROPERTIES" in known:
        behind = next(iter(compiled.get_property("DEVICE_PROPERTIES").values()), {})
    facts: dict[str, Any] = {"device": devices, "from_cache": bool(compiled.get_property("LOADED_FROM_CACHE"))}
    for fact, key in _REPORTED.items():
        if key in behind:
            facts[fact] = _plain(behind[key])
        elif key in known:
            facts[fact] = _plain(compiled.get_property(key))
    return facts


def _units(device: str) -> tuple[str, list[str]]:
    """Return the kind of `device` and the units of this machine that it stands for."""
    kind, _, listed = device.partition(":")
    found = core().available_devices
    units = [unit.partition("(")[0] for unit in listed.split(",") if unit and not unit.startswith("-")]
    if kind not in VIRTUAL:
        kind, units = device.partition(".")[0], [device]
    for unit in units:
        if not any(unit in (there, there.partition(".")[0]) or f"{there}.0" == unit for there in found):
            raise EngineError(
                f"openvino: no device {unit} on this machine (found: {', '.join(found)}); a GPU or NPU needs its driver"
            )
    return kind, units or found


@cache
def _supported(device: str) -> frozenset[str]:
    # Asked once a device: each call of get_property for this key leaks about 4 KiB.
    listed = core().get_property(device, "SUPPORTED_PROPERTIES")
    return frozenset(key for key, access in listed.items() if access != "RO")


def _taken(units: list[str]) -> str:
    return ", ".join(sorted(name for name, s in SETTINGS.items() if any(s.key in _supported(unit) for unit in units)))


def _keep_float32(device: str, whole: dict[str, Any], each: dict[str, dict[str, Any]]) -> None:
    if device == "CPU":
        whole["INFERENCE_PRECISION_HINT"] = "f32"
    elif "CPU" in each:
        each["CPU"]["INFERENCE_PRECISION_HINT"] = "f32"


def _plain(value: Any) -> bool | int | float | str:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, ov.Type):
        return str(value.to_string())
    text = str(value.name if isinstance(value, _NAMED) else value)
    # Some devices answer in words.
    return {"YES": True, "NO": False}.get(text, int(text) if text.isdecimal() else text)
