"""What an engine is built with: the options a user or a bundle gives, typed, and what the compiler wrote of the model.

Nothing here needs TensorRT, so that a bundle can be made and a plan be made ready where there is none.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Protocol

import msgspec

from edgecnn.core.errors import EngineError, InputError
from edgecnn.core.registry import nearest
from edgecnn.core.tensor import TensorSpec
from edgecnn.runtime.engines.checks import boolean, check_options, one_of, positive

MODEL, PREPARED = "model.onnx", "tensorrt.json"
WORKSPACE_MIB: Final = 1024
"""Enough for any convolution's fastest kernel; TensorRT's own default is all the memory, which a Jetson shares."""

Typing = Literal["weak", "strong", "either"]
Hardware = Literal["same", "ampere+", "same_compute_capability"]
Shape = tuple[int, ...]
LEVELS = range(6)


class Prepared(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the compiler says of the ONNX file beside it.

    Attributes:
        precision: of the artefact; empty where nobody said.
        typing: `weak` needs a builder that chooses types by flags (TensorRT 8), `strong` one that takes them as they
            are written (10 and later); `either` is float32 without Q/DQ, which both run alike.
        opset: of the ONNX file; 0 where nobody said.
        quantized: whether the file has Q/DQ; None where nobody said.
    """

    precision: Literal["", "fp32", "fp16", "int8", "mixed"] = ""
    typing: Typing = "either"
    opset: int = 0
    quantized: bool | None = None


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The least, the usual and the greatest shape of an input whose shape is not fixed."""

    least: Shape
    usual: Shape
    most: Shape


class BuildSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that decides what a builder makes of an ONNX file, and so part of the key of what is cached.

    Attributes:
        prepared: what the compiler wrote of the file.
        shapes: the inputs' shapes that the bundle lists; profiles where an input is free and has no other.
        profiles: by input, for inputs of free shape.
        workspace_mib: most scratch memory of a layer.
        level: builder optimization level, 0 (fast build) to 5; None leaves TensorRT's own (3).
        dla: the DLA core to run on; None for the GPU.
        gpu_fallback: whether layers that the DLA can't run go to the GPU; else they are an error.
        sparse: whether kernels for 2:4 sparse weights may be chosen; a permission, TensorRT takes them if faster.
        tf32: whether float32 may be multiplied in TF32, with a mantissa of 10 bits.
        version_compatible: whether later TensorRT may load the plan.
        hardware: which GPUs may run the plan: the one it was built on, Ampere and later, or its compute capability.
        detailed: whether the engine keeps each layer's formats and kernel for the inspector.
    """

    prepared: Prepared = Prepared()
    shapes: dict[str, Shape] = {}
    profiles: dict[str, Profile] = {}
    workspace_mib: int = WORKSPACE_MIB
    level: int | None = None
    dla: int | None = None
    gpu_fallback: bool = True
    sparse: bool = False
    tf32: bool = False
    version_compatible: bool = False
    hardware: Hardware = "same"
    detailed: bool = True


class RunSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an engine is built and run without changing what it computes: no part of the key.

    Attributes:
        threads: CPU threads of the builder; 0 leaves them to TensorRT.
        cuda_graph: whether the whole inference is captured once and launched as one.
        timing_cache: whether a builder starts from, and adds to, what kernels were timed before.
        cache: folder of built engines; empty for the device's own.
    """

    threads: int = 0
    cuda_graph: bool = True
    timing_cache: bool = True
    cache: str = ""


class Built(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a builder gives: the plan, the timing cache (empty: none), seconds it took, and what it said in passing."""

    plan: bytes
    timing_cache: bytes
    seconds: float
    notes: tuple[str, ...] = ()


class BuildPlan(Protocol):
    """What the registry's `builder` for an engine offers: it makes on the device what only this device loads."""

    def __call__(self, network: bytes, settings: BuildSettings, timing_cache: bytes, threads: int) -> Built:
        """Build `network`, an ONNX file.

        Raises:
            EngineError: the SDK refused it; the error carries the parser's or the logger's own words.
        """
        ...


def _core(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _level(value: Any) -> bool:
    return _core(value) and value in LEVELS


def _is_shape(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(positive(size) for size in value)


def _profiles(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str)
        and isinstance(shapes, list | tuple)
        and len(shapes) == 3
        and all(map(_is_shape, shapes))
        and len({len(shape) for shape in shapes}) == 1
        and all(low <= middle <= high for low, middle, high in zip(*shapes, strict=True))
        for name, shapes in value.items()
    )


_TRUTH = (boolean, "true or false")
OPTIONS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "threads": (positive, "a whole number above 0"),
    "cuda_graph": _TRUTH,
    "timing_cache": _TRUTH,
    "cache": (lambda value: isinstance(value, str), "a folder's path"),
    "profiles": (_profiles, "for each input [least, usual, most] shapes of one rank, in rising order"),
    "workspace_mib": (positive, "a whole number above 0"),
    "level": (_level, "a whole number from 0 to 5"),
    "dla": (_core, "a DLA core: 0 or 1"),
    "gpu_fallback": _TRUTH,
    "sparse": _TRUTH,
    "tf32": _TRUTH,
    "version_compatible": _TRUTH,
    "hardware": (one_of("same", "ampere+", "same_compute_capability"), "same, ampere+ or same_compute_capability"),
    "detailed": _TRUTH,
}


def settings_of(
    options: Mapping[str, Any], prepared: Prepared, inputs: tuple[TensorSpec, ...]
) -> tuple[BuildSettings, RunSettings]:
    """Return `options` typed.

    Raises:
        InputError: an option that is not known, or a value that it does not take.
    """
    check_options("tensorrt", options, OPTIONS)
    profiles = {
        name: Profile(*(tuple(shape) for shape in shapes)) for name, shapes in options.get("profiles", {}).items()
    }
    names = [spec.name for spec in inputs]
    if strange := [name for name in profiles if name not in names]:
        raise InputError(f"engine 'tensorrt': profiles name no input '{strange[0]}'{nearest(strange[0], names)}")
    for_running = set(RunSettings.__struct_fields__)
    plain = {name: value for name, value in options.items() if name not in for_running | {"profiles"}}
    shapes = {spec.name: spec.shape for spec in inputs}
    running = RunSettings(**{name: value for name, value in options.items() if name in for_running})
    return BuildSettings(prepared=prepared, shapes=shapes, profiles=profiles, **plain), running


def read_files(files: Mapping[str, bytes]) -> tuple[bytes, Prepared]:
    """Return the ONNX file, which comes first, and what the compiler said of it; nothing is said of a lone file.

    Raises:
        EngineError: what was said can't be read.
    """
    main, *_ = files.values()
    told = files.get(PREPARED)
    if told is None:
        return main, Prepared()
    try:
        return main, msgspec.json.decode(told, type=Prepared)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"tensorrt: {PREPARED} does not say how the model was prepared: {error}") from error
