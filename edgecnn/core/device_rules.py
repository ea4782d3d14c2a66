"""What a device can't run, rule by rule, each with the nearest thing that works. One table, asked before any work.

The facts behind the rules are NVIDIA's and Intel's documents and the engines' sources, as the device files cite them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from edgecnn.core.bundle import Precision
from edgecnn.core.device import Device, EngineSupport

EDGECNN_PYTHON = (3, 10)
"""The oldest Python that edgecnn runs on."""
ASYNC_V3 = (8, 5)
"""The TensorRT that has `execute_async_v3`, which edgecnn's engine calls, and takes uint8 inputs."""
EXPLICIT_DLA = (11, 4)
"""The TensorRT whose DLA reads Q/DQ; before, INT8 there comes from calibration tables alone."""
TENSORRT_SINCE = {
    "GridSample": (8, 5),
    "GroupNormalization": (8, 6),
    "HardSwish": (8, 4),
    "LayerNormalization": (8, 6),
    "Mish": (8, 6),
    "Swish": (11, 0),
}
"""Operators that TensorRT's importer knows only from a version on."""
DLA_NATIVE = frozenset(
    {
        "Add",
        "AveragePool",
        "BatchNormalization",
        "Cast",
        "Clip",
        "Concat",
        "Conv",
        "ConvTranspose",
        "Gemm",
        "Identity",
        "LeakyRelu",
        "Max",
        "MaxPool",
        "Mul",
        "Pad",
        "Relu",
        "Resize",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Split",
        "Sub",
        "Tanh",
        "QuantizeLinear",
        "DequantizeLinear",
    }
)
"""What an Orin's DLA computes itself; the rest falls back to the GPU, if that is allowed."""
STATIC_UNITS = frozenset({"npu", "dla"})


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the rules ask of a network.

    Attributes:
        precision: what it is to run in.
        opset: ONNX's operator version; 0 where it is no ONNX any more.
        operators: ONNX operators in it; empty where unknown.
        inputs: NumPy dtype of each input.
        free: inputs whose shape is not fixed.
        pairs: whether it holds Q/DQ pairs.
    """

    precision: Precision
    opset: int = 0
    operators: frozenset[str] = frozenset()
    inputs: dict[str, str] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    pairs: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that a network breaks on a device.

    Attributes:
        rule: its name.
        why: what stands against it.
        instead: the nearest thing that works.
        blocks: whether it can't run at all; else it runs, other than one might think.
    """

    rule: str
    why: str
    instead: str
    blocks: bool = True

    def text(self) -> str:
        """Return both in one line."""
        return f"{self.why}; {self.instead}"


class Place(NamedTuple):
    """An engine on a unit of a device, and the network in question."""

    device: Device
    support: EngineSupport
    model: ModelFacts


class Rule(NamedTuple):
    """One row of the table: why it refuses (empty: it does not), and what works instead."""

    name: str
    why: Callable[[Place], str]
    instead: Callable[[Place], str]
    blocks: bool = True


def refusals(device: Device, support: EngineSupport, model: ModelFacts) -> list[Refusal]:
    """Return every rule that `model` breaks in the engine `support` of `device`, those that block it first."""
    place = Place(device, support, model)
    broken = [(rule, why) for rule in RULES if (why := rule.why(place))]
    found = [Refusal(rule.name, why, rule.instead(place), rule.blocks) for rule, why in broken]
    return sorted(found, key=lambda one: not one.blocks)


def version(text: str | None) -> tuple[int, ...]:
    """Return `8.5.2` as (8, 5, 2); empty for what nobody knows."""
    parts = (text or "").split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def _tensorrt(place: Place) -> tuple[int, ...]:
    fact = place.device.software.tensorrt
    return version(fact.value) if fact is not None and place.support.engine == "tensorrt" else ()


def _python(place: Place) -> tuple[int, ...]:
    fact = place.device.software.python
    return version(fact.value) if fact is not None else ()


def _dotted(number: tuple[int, ...]) -> str:
    return ".".join(map(str, number))


def _unit(place: Place) -> str:
    part = getattr(place.device, place.support.unit)
    name = part.model.value if part is not None else None
    return f"{place.support.unit.upper()} ({name})" if name else place.support.unit.upper()


def _no_int8(place: Place) -> str:
    if place.model.precision not in {"int8", "mixed"} or "int8" in place.support.precisions:
        return ""
    return f"the {_unit(place)} has no INT8 units"


def _best_float(place: Place) -> str:
    wide = next((one for one in ("fp16", "fp32") if one in place.support.precisions), "")
    if not wide:
        return f"it has {', '.join(place.support.precisions)}: take another engine of the board"
    return f"take {wide.upper()}: edgecnn compile --target {place.device.name} --precision {wide}"


def _no_fp16(place: Place) -> str:
    if place.model.precision != "fp16" or "fp16" in place.support.precisions:
        return ""
    return f"the {_unit(place)} computes in FP32 whatever the file holds"


def _no_fp32(place: Place) -> str:
    if place.model.precision != "fp32" or "fp32" in place.support.precisions:
        return ""
    return f"the {_unit(place)} has no FP32: the network computes in FP16"


def _opset(place: Place) -> str:
    most = place.device.software.onnx_opset_max
    if most is None or most.value is None or place.support.engine != "tensorrt" or place.model.opset <= most.value:
        return ""
    return (
        f"the model has opset {place.model.opset} and TensorRT {_dotted(_tensorrt(place))} reads {most.value:g} at most"
    )


def _older_opset(place: Place) -> str:
    most = place.device.software.onnx_opset_max
    return f"export it again at opset {most.value:g}" if most is not None and most.value is not None else ""


def _operator(place: Place) -> str:
    have = _tensorrt(place)
    found = [f"{op} (from {_dotted(since)})" for op, since in TENSORRT_SINCE.items() if op in place.model.operators
             and have and have < since]  # fmt: skip
    return f"TensorRT {_dotted(have)} does not know {', '.join(found)}" if found else ""


def _free(place: Place) -> str:
    if place.support.unit not in STATIC_UNITS or not place.model.free:
        return ""
    return f"the {_unit(place)} takes fixed shapes only, and {', '.join(place.model.free)} has a free one"


def _pixels(place: Place) -> str:
    have = _tensorrt(place)
    bytes_in = [name for name, dtype in place.model.inputs.items() if dtype == "uint8"]
    if not bytes_in or not have or have >= ASYNC_V3:
        return ""
    return f"TensorRT {_dotted(have)} takes no uint8 input ('{bytes_in[0]}'), which 8.5 was the first to"


def _no_async(place: Place) -> str:
    have = _tensorrt(place)
    if not have or have >= ASYNC_V3:
        return ""
    return f"TensorRT {_dotted(have)} has no execute_async_v3, by which edgecnn runs networks"


def _old_python(place: Place) -> str:
    have = _python(place)
    if not have or have >= EDGECNN_PYTHON:
        return ""
    return f"its Python {_dotted(have)} is too old for edgecnn, which needs {_dotted(EDGECNN_PYTHON)}"


def _old_python_blocks(place: Place) -> str:
    return "" if place.support.engine == "tensorrt" else _old_python(place)


def _old_python_hampers(place: Place) -> str:
    return _old_python(place) if place.support.engine == "tensorrt" else ""


def _dla_pairs(place: Place) -> str:
    have = _tensorrt(place)
    quantized = place.model.precision in {"int8", "mixed"} or place.model.pairs
    if place.support.unit != "dla" or not quantized or not have or have >= EXPLICIT_DLA:
        return ""
    return f"the DLA under TensorRT {_dotted(have)} reads no Q/DQ pairs, only calibration tables"


def _dla_operators(place: Place) -> str:
    if place.support.unit != "dla" or not place.model.operators:
        return ""
    foreign = sorted(place.model.operators - DLA_NATIVE - {"Constant"})
    return f"the {_unit(place)} does not compute {', '.join(foreign)}" if foreign else ""


def _npu_driver(place: Place) -> str:
    least = place.support.minimum
    if least is None or least.value is None:
        return ""
    driver = place.device.software.npu_driver
    needs = f" and NPU driver {driver.value}" if driver is not None and driver.value else ""
    return f"the {_unit(place)} needs {least.value}{needs} or newer"


def _by_trtexec(_: Place) -> str:
    return "with a newer Python put beside it `edgecnn compile BUNDLE --on-device` builds and times by trtexec"


RULES: tuple[Rule, ...] = (
    Rule("int8_units", _no_int8, _best_float),
    Rule("fp16_units", _no_fp16, lambda _: "FP16 only halves the file; INT8 is what gains there", blocks=False),
    Rule("opset", _opset, _older_opset),
    Rule("operator", _operator, lambda _: "export at an older opset, which spells it out, or take a newer JetPack"),
    Rule("static_shapes", _free, lambda place: f"fix it: --shape {place.model.free[0]}=1,3,HEIGHT,WIDTH"),
    Rule("uint8_input", _pixels, lambda _: "keep the float input: edgecnn compile MODEL.onnx --keep-input"),
    Rule("dla_pairs", _dla_pairs, lambda _: "take FP16 on the DLA, or INT8 on the GPU"),
    Rule("python", _old_python_blocks, lambda _: "take TensorRT by trtexec, or a newer JetPack"),
    Rule("execution", _no_async, _by_trtexec, blocks=False),
    Rule("python_tensorrt", _old_python_hampers, _by_trtexec, blocks=False),
    Rule("fp32_units", _no_fp32, lambda _: "judge it there as FP16", blocks=False),
    Rule("dla_operators", _dla_operators, lambda _: "those layers fall back to the GPU", blocks=False),
    Rule("npu_driver", _npu_driver, lambda _: "see that the machine has it", blocks=False),
)
"""In the order in which they are told."""
