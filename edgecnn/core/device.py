"""Device: what is known of a board, each figure with its unit, its source and how far it can be trusted.

A figure whose value is null is a thing nobody could establish; a field left out is a thing the board does not have.
Variants of a board (the same silicon under another JetPack) are small files that say `extends: <board>`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from edgecnn.core import shared, typed_yaml
from edgecnn.core.errors import RecipeError

Confidence = Literal["verified", "derived", "vendor", "unknown"]
Unit = Literal["cpu", "gpu", "npu", "dla"]
Precision = Literal["fp32", "fp16", "int8", "int16", "fp8"]


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A number of a device. `source` is a key of the device's `sources`.

    `confidence`: `verified` was read in a primary source or on the device; `derived` follows from other figures by
    the formula its source gives; `vendor` is what the maker states, not checked; `unknown` goes with a null value.
    """

    value: float | None
    unit: str
    source: str
    confidence: Confidence

    def __post_init__(self) -> None:
        _check_known(self.value, self.confidence)

    def text(self) -> str:
        """Return e.g. `102.4 GB/s (derived)`, or `unknown`."""
        return "unknown" if self.value is None else f"{self.value:g} {self.unit} ({self.confidence})"


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A version or a name of a device; `source` and `confidence` as in `Figure`."""

    value: str | None
    source: str
    confidence: Confidence

    def __post_init__(self) -> None:
        _check_known(self.value, self.confidence)

    def text(self) -> str:
        """Return e.g. `10.3.0.30 (verified)`, or `unknown`."""
        return "unknown" if self.value is None else f"{self.value} ({self.confidence})"


class Cpu(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The CPU. `isa` names the vector extensions that matter here, separated by blanks, as Linux spells them."""

    model: Fact
    cores: Figure
    clock_ghz: Figure
    isa: Fact


class Gpu(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The GPU; `clock_ghz` is the highest of any power mode. SM counts exist on NVIDIA parts only."""

    model: Fact
    clock_ghz: Figure
    compute_capability: Fact | None = None
    sms: Figure | None = None
    cores: Figure | None = None
    tensor_cores: Figure | None = None


class Accelerator(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fixed-function unit for networks: an NPU, or NVIDIA's DLA."""

    model: Fact
    cores: Figure | None = None


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Main memory; on all boards here it is shared by every unit. `clock_mhz` is half the data rate."""

    kind: Fact
    size_gb: Figure
    bus_bits: Figure
    clock_mhz: Figure


class Peak(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Peak rate of one unit in one power mode; a multiply-add counts as two. Dense unless the name says sparse."""

    int8_tops: Figure | None = None
    int8_sparse_tops: Figure | None = None
    fp16_tflops: Figure | None = None
    fp8_tflops: Figure | None = None


class PowerMode(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one power mode allows. The label's watts say little: the same label has other clocks on another module."""

    name: str
    default: bool = False
    cpu_cores: Figure | None = None
    cpu_clock_ghz: Figure | None = None
    gpu_sms: Figure | None = None
    gpu_clock_ghz: Figure | None = None
    memory_clock_mhz: Figure | None = None
    bandwidth_gb_s: Figure
    peaks: dict[Unit, Peak]


class EngineSupport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An engine that runs here, on which unit, in which precisions that the silicon really has.

    `channel_multiple` is what channel counts should be a multiple of for the fast kernels, by precision.
    """

    engine: str
    unit: Unit
    precisions: tuple[Precision, ...]
    source: str
    minimum: Fact | None = None
    channel_multiple: dict[Precision, Figure] = {}
    note: str = ""


class Software(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is installed, or has to be. `onnx_opset_max` is the newest opset that the board's own engine reads."""

    jetpack: Fact | None = None
    l4t: Fact | None = None
    tensorrt: Fact | None = None
    cuda: Fact | None = None
    cudnn: Fact | None = None
    python: Fact | None = None
    npu_driver: Fact | None = None
    onnx_opset_max: Figure | None = None


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A board (or a kind of machine) with the software that it runs."""

    name: str
    title: str
    kind: Literal["jetson", "x86", "arm", "mobile", "apple"]
    arch: Literal["x86_64", "aarch64"]
    transport: tuple[Literal["local", "ssh", "adb"], ...]
    sources: dict[str, str]
    cpu: Cpu
    memory: Memory
    engines: tuple[EngineSupport, ...]
    modes: tuple[PowerMode, ...]
    gpu: Gpu | None = None
    npu: Accelerator | None = None
    dla: Accelerator | None = None
    software: Software = Software()
    note: str = ""

    def __post_init__(self) -> None:
        for where, source in _cited(self, ""):
            if source not in self.sources:
                raise ValueError(f"{where} cites the source '{source}', which `sources` does not list")
        if sum(mode.default for mode in self.modes) != 1:
            raise ValueError("exactly one power mode must say `default: true`")

    def mode(self, name: str = "") -> PowerMode:
        """Return the power mode called `name`, or the default one."""
        found = next((m for m in self.modes if (m.name == name if name else m.default)), None)
        if found is None:
            raise RecipeError(f"{self.name} has no power mode '{name}': {', '.join(m.name for m in self.modes)}")
        return found


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A board under other software: what is given replaces the board's own, `sources` adds to it."""

    name: str
    title: str
    extends: str
    sources: dict[str, str] = {}
    software: Software | None = None
    engines: tuple[EngineSupport, ...] | None = None
    modes: tuple[PowerMode, ...] | None = None
    gpu: Gpu | None = None
    note: str | None = None


def load_device(name: str) -> Device:
    """Return the device called `name`, or the one in the YAML file at the path `name`.

    Raises:
        InputError: no such device, with the nearest name.
        RecipeError: the file does not say what a device file must.
    """
    path = shared.find("devices", name)
    if not _is_variant(path):
        return typed_yaml.load(path, Device)
    variant = typed_yaml.load(path, Variant)
    base_path = path.with_name(f"{variant.extends}.yaml")
    if not base_path.is_file() or _is_variant(base_path):
        line = typed_yaml.line_of(path, ("extends",))
        raise RecipeError(f"{path}:{line}: extends: '{variant.extends}' must be a whole device file in the same folder")
    base = typed_yaml.load(base_path, Device)
    fields = {f: v for f in variant.__struct_fields__ if f != "extends" and (v := getattr(variant, f)) is not None}
    try:
        return msgspec.structs.replace(base, **fields | {"sources": base.sources | variant.sources})
    except ValueError as error:
        raise RecipeError(f"{path}: {error}") from error


def _is_variant(path: Path) -> bool:
    return re.search(rb"^extends\s*:", path.read_bytes()[: typed_yaml.MAX_BYTES], re.MULTILINE) is not None


def _check_known(value: object, confidence: Confidence) -> None:
    if (value is None) != (confidence == "unknown"):
        raise ValueError("a null value goes with `confidence: unknown`, and only a null value does")


def _cited(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield every `source` below `value` with the place it stands at."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            below = getattr(value, name)
            if name == "source":
                yield where, below
            elif name != "sources":
                yield from _cited(below, f"{where}.{name}" if where else name)
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _cited(below, f"{where}.{key}")
    elif isinstance(value, tuple):
        for index, below in enumerate(value):
            yield from _cited(below, f"{where}[{index}]")
