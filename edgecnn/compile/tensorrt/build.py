"""An engine of ONNX, on the device: one order of steps, and of three builders the one that this TensorRT's names fit.

Which it is follows from what the module has, not from its version number: no strong typing at all is 8, strong typing
beside flags of precision is 10, strong typing without them is 11.
"""

import time
from typing import Any, Protocol

from edgecnn.compile.tensorrt import profiles
from edgecnn.compile.tensorrt.dla import place_on_dla
from edgecnn.compile.tensorrt.strong import Strong
from edgecnn.compile.tensorrt.strong_only import StrongOnly
from edgecnn.compile.tensorrt.weak import Weak
from edgecnn.core.errors import EngineError
from edgecnn.runtime.engines.tensorrt_sdk import LOG, made, refusal, register_plugins, trt
from edgecnn.runtime.engines.tensorrt_settings import BuildSettings, Built

_HARDWARE = {"ampere+": "AMPERE_PLUS", "same_compute_capability": "SAME_COMPUTE_CAPABILITY"}


class Family(Protocol):
    """What differs from one major version of TensorRT to the next."""

    @property
    def name(self) -> str:
        """The version in words."""
        ...

    def check(self, builder: Any, settings: BuildSettings) -> None:
        """Raise `EngineError` if this TensorRT or this GPU can't do what was prepared."""
        ...

    def network_flags(self, settings: BuildSettings) -> int:
        """Return the flags of a new network."""
        ...

    def parser(self, network: Any) -> Any:
        """Return a parser that fills `network`."""
        ...

    def words(self, error: Any) -> str:
        """Return what a parser's error says."""
        ...

    def set_types(self, config: Any, network: Any, settings: BuildSettings) -> None:
        """Tell the builder which types it may choose."""
        ...


def family() -> Family:
    """Return the builder whose names this TensorRT has."""
    if "STRONGLY_TYPED" not in trt.NetworkDefinitionCreationFlag.__members__:
        return Weak()
    return Strong() if "FP16" in trt.BuilderFlag.__members__ else StrongOnly()


def build_plan(network: bytes, settings: BuildSettings, timing_cache: bytes, threads: int) -> Built:
    """Build `network`, an ONNX file, for this GPU; `BuildPlan` in `runtime/engines/tensorrt_settings.py`.

    Raises:
        EngineError: TensorRT refused it, in the parser's or the logger's own words.
    """
    started, since, own = time.perf_counter(), LOG.mark(), family()
    register_plugins()
    builder = made("builder", trt.Builder, LOG)
    own.check(builder, settings)
    if threads:
        builder.max_threads = threads
    parsed = _parsed(builder, network, settings, own)
    config = made("builder configuration", builder.create_builder_config)
    own.set_types(config, parsed, settings)
    _configure(config, settings)
    profiles.add_profile(builder, parsed, config, settings)
    notes = place_on_dla(builder, parsed, config, settings)
    _start_timing_cache(config, timing_cache)
    mark = LOG.mark()
    plan = builder.build_serialized_network(parsed, config)
    if plan is None:
        raise refusal("no engine could be built", mark)
    return Built(
        plan=bytes(plan),
        timing_cache=_timing_cache(config),
        seconds=time.perf_counter() - started,
        notes=(*notes, *LOG.lines(since)),
    )


def _parsed(builder: Any, network: bytes, settings: BuildSettings, own: Family) -> Any:
    """Return the network of an ONNX file, its inputs and outputs in rows, as NumPy has them."""
    parsed = made("network", builder.create_network, own.network_flags(settings))
    parser, mark = own.parser(parsed), LOG.mark()
    if not parser.parse(network):
        errors = [own.words(parser.get_error(index)) for index in range(parser.num_errors)]
        raise refusal("the parser refused the network", mark, "; ".join(errors))
    linear = 1 << int(trt.TensorFormat.LINEAR)
    for index in range(parsed.num_inputs):
        parsed.get_input(index).allowed_formats = linear
    for index in range(parsed.num_outputs):
        parsed.get_output(index).allowed_formats = linear
    return parsed


def _configure(config: Any, settings: BuildSettings) -> None:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mib << 20)
    config.profiling_verbosity = (
        trt.ProfilingVerbosity.DETAILED if settings.detailed else trt.ProfilingVerbosity.LAYER_NAMES_ONLY
    )
    if not settings.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if settings.sparse:
        config.set_flag(trt.BuilderFlag.SPARSE_WEIGHTS)
    if settings.level is not None:
        config.builder_optimization_level = settings.level
    if settings.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if settings.hardware != "same":
        wanted, there = _HARDWARE[settings.hardware], trt.HardwareCompatibilityLevel.__members__
        if wanted not in there:
            raise EngineError(f"tensorrt: {trt.__version__} has no hardware level {wanted}, only {', '.join(there)}")
        config.hardware_compatibility_level = there[wanted]


def _start_timing_cache(config: Any, known: bytes) -> None:
    """Have kernels timed before on this GPU not be timed again; what was timed elsewhere is not taken."""
    for content in (known, b"") if known else (b"",):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):  # noqa: FBT003 - the binding names it no better
            return
    mark = LOG.mark()
    raise refusal("no timing cache can be started", mark)


def _timing_cache(config: Any) -> bytes:
    cache = config.get_timing_cache()
    told = cache.serialize() if cache is not None else None
    return bytes(told) if told is not None else b""
