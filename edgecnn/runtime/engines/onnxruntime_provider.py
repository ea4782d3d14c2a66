"""Execution providers of ONNX Runtime beside its CPU: how each is found, what it can be told, who brings it.

ONNX Runtime takes unknown option keys of some providers silently, and where a provider fails to start it goes on with
the CPU alone. So options are checked against the lists here, and what the session really got is read back.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, final

import onnxruntime as ort

from edgecnn.core.errors import EngineError, MissingExtraError
from edgecnn.runtime.engines.checks import boolean, one_of, positive

Check = tuple[Callable[[Any], bool], str]


class Option(NamedTuple):
    """One option: ONNX Runtime's key for it, what it must be, in words too, and how ONNX Runtime has it written."""

    key: str
    accepts: Callable[[Any], bool]
    wants: str
    text: Callable[[Any], str] = str


@final
class Provider(NamedTuple):
    """An execution provider as an engine of its own.

    Attributes:
        ort: ONNX Runtime's name of it.
        get: how to get an ONNX Runtime that has it.
        options: what it can be told, by our name.
        always: what it is told whatever was asked, by ONNX Runtime's key.
        threads: ONNX Runtime's key for the threads of the provider's own pool; empty where it has none.
        behind: providers that take what it leaves, before the CPU does.
        plugin: the package that brings it as a plug-in to any ONNX Runtime; empty where it is only built in.
        unit: the kind of hardware it needs as a plug-in; on another kind it emulates.
    """

    ort: str
    get: str
    options: Mapping[str, Option]
    always: Mapping[str, str] = {}
    threads: str = ""
    behind: tuple[str, ...] = ()
    plugin: str = ""
    unit: str = ""

    @property
    def checks(self) -> dict[str, Check]:
        """Its options' tests, as `checks.check_options` wants them."""
        emulate = {"emulate": (boolean, "true or false")} if self.plugin else {}
        return {name: (row.accepts, row.wants) for name, row in self.options.items()} | emulate

    def settings(self, options: Mapping[str, Any]) -> dict[str, str]:
        """Return `options` as ONNX Runtime's keys and texts; those that are no provider option are left out."""
        told = {row.key: row.text(options[name]) for name, row in self.options.items() if name in options}
        if self.threads and "threads" in options:
            told[self.threads] = str(options["threads"])
        return {**self.always, **told}


def _whole(key: str, low: int = 0, high: int | None = None) -> Option:
    wants = f"a whole number of {low} to {high}" if high is not None else f"a whole number from {low} on"
    return Option(
        key,
        lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= low and (high is None or v <= high),
        wants,
    )


def _flag(key: str, words: tuple[str, str] = ("0", "1")) -> Option:
    return Option(key, boolean, "true or false", lambda value: words[value])


def _one_of(key: str, *allowed: str) -> Option:
    return Option(key, one_of(*allowed), " or ".join(allowed))


def _mebibytes(key: str) -> Option:
    return Option(key, positive, "a whole number of MiB above 0", lambda value: str(value << 20))


def _text(key: str, wants: str) -> Option:
    return Option(key, lambda value: isinstance(value, str) and bool(value), wants)


_NVIDIA = (
    "pip install onnxruntime-gpu in place of onnxruntime; on a Jetson take the wheel that NVIDIA builds for its JetPack"
)
PROVIDERS: dict[str, Provider] = {
    "onnxruntime-tensorrt": Provider(
        "TensorrtExecutionProvider",
        _NVIDIA,
        {
            "device_id": _whole("device_id"),
            "fp16": _flag("trt_fp16_enable"),
            "workspace_mib": _mebibytes("trt_max_workspace_size"),
            "builder_level": _whole("trt_builder_optimization_level", 0, 5),
            "min_subgraph": _whole("trt_min_subgraph_size", 1),
            "engine_cache": _flag("trt_engine_cache_enable"),
            "engine_cache_dir": _text("trt_engine_cache_path", "a folder"),
            "timing_cache": _flag("trt_timing_cache_enable"),
            "timing_cache_dir": _text("trt_timing_cache_path", "a folder"),
            "hardware_compatible": _flag("trt_engine_hw_compatible"),
            "sparsity": _flag("trt_sparsity_enable"),
            "cuda_graph": _flag("trt_cuda_graph_enable"),
            "dla": _flag("trt_dla_enable"),
            "dla_core": _whole("trt_dla_core"),
        },
        behind=("CUDAExecutionProvider",),
    ),
    "onnxruntime-cuda": Provider(
        "CUDAExecutionProvider",
        _NVIDIA,
        {
            "device_id": _whole("device_id"),
            "memory_limit_mib": _mebibytes("gpu_mem_limit"),
            "arena": _one_of("arena_extend_strategy", "kNextPowerOfTwo", "kSameAsRequested"),
            "conv_search": _one_of("cudnn_conv_algo_search", "EXHAUSTIVE", "HEURISTIC", "DEFAULT"),
            "max_workspace": _flag("cudnn_conv_use_max_workspace"),
            "cuda_graph": _flag("enable_cuda_graph"),
            "tf32": _flag("use_tf32"),
            "nhwc": _flag("prefer_nhwc"),
        },
        # Its default rounds the factors of float32 products to 10 bits of mantissa.
        always={"use_tf32": "0"},
    ),
    "onnxruntime-openvino": Provider(
        "OpenVINOExecutionProvider",
        "pip install onnxruntime-openvino in place of onnxruntime",
        {
            "device": _text("device_type", "a device's name such as CPU, GPU, NPU or AUTO:GPU,CPU"),
            "precision": _one_of("precision", "FP32", "FP16", "ACCURACY"),
            "streams": _whole("num_streams", 1),
            "cache_dir": _text("cache_dir", "a folder"),
            "qdq_optimizer": _flag("enable_qdq_optimizer", ("False", "True")),
            "priority": _one_of("model_priority", "LOW", "MEDIUM", "HIGH", "DEFAULT"),
        },
        threads="num_of_threads",
        always={"device_type": "CPU"},
    ),
    "onnxruntime-xnnpack": Provider(
        "XnnpackExecutionProvider",
        "no wheel has it; on Android take onnxruntime-android, for Python build ONNX Runtime with --use_xnnpack",
        {},
        threads="intra_op_num_threads",
    ),
    "onnxruntime-qnn": Provider(
        "QNNExecutionProvider",
        "pip install onnxruntime-qnn beside onnxruntime 1.24.2 or newer",
        {
            "device_id": _whole("device_id"),
            "performance_mode": _one_of(
                "htp_performance_mode",
                "burst",
                "balanced",
                "default",
                "high_performance",
                "high_power_saver",
                "low_balanced",
                "low_power_saver",
                "power_saver",
                "extreme_power_saver",
                "sustained_high_performance",
            ),
            "finalization": _whole("htp_graph_finalization_optimization_mode", 0, 3),
            "fp16": _flag("enable_htp_fp16_precision"),
            "profiling": _one_of("profiling_level", "off", "basic", "detailed", "optrace"),
            "rpc_latency_us": _whole("rpc_control_latency"),
            "priority": _one_of("qnn_context_priority", "low", "normal", "normal_high", "high"),
            "vtcm_mib": _whole("vtcm_mb"),
            "soc_model": _whole("soc_model"),
        },
        always={"backend_type": "htp"},
        plugin="onnxruntime_qnn",
        unit="NPU",
    ),
    "onnxruntime-coreml": Provider(
        "CoreMLExecutionProvider",
        "it is in the onnxruntime wheel for macOS and in no other: pip install onnxruntime there",
        {
            "format": _one_of("ModelFormat", "MLProgram", "NeuralNetwork"),
            "units": _one_of("MLComputeUnits", "ALL", "CPUOnly", "CPUAndGPU", "CPUAndNeuralEngine"),
            "specialization": _one_of("SpecializationStrategy", "Default", "FastPrediction"),
            "low_precision_gpu": _flag("AllowLowPrecisionAccumulationOnGPU"),
            "cache_dir": _text("ModelCacheDirectory", "a folder"),
        },
        always={"ModelFormat": "MLProgram", "RequireStaticInputShapes": "1"},
    ),
}


class Attached(NamedTuple):
    """What a session is opened with: `providers` for its constructor, and what the provider is told, by its own keys.

    A plug-in is already in the session's options; `providers` is empty then. `emulated`: not on its own hardware.
    """

    providers: list[Any]
    told: dict[str, str]
    emulated: bool = False


def attach(engine: str, chosen: ort.SessionOptions, options: Mapping[str, Any]) -> Attached:
    """Make the provider of `engine` ready for a session that is opened with `chosen`.

    Raises:
        MissingExtraError: this ONNX Runtime has no such provider; the message says how to get one that has.
        EngineError: the hardware it drives is not here, and it was not asked to emulate.
    """
    provider = PROVIDERS[engine]
    told = provider.settings(options)
    if provider.plugin and _register(provider.ort, provider.plugin):
        device = _device(engine, provider, emulate=options.get("emulate", False))
        chosen.add_provider_for_devices([device], told)
        return Attached([], told, emulated=device.device.type.name != provider.unit)
    available = ort.get_available_providers()
    if provider.ort not in available:
        raise MissingExtraError(f"{engine}: onnxruntime {ort.__version__} has no {provider.ort}: {provider.get}")
    behind = [name for name in provider.behind if name in available]
    return Attached([(provider.ort, told), *behind, "CPUExecutionProvider"], told)


@cache
def _register(name: str, package: str) -> bool:
    """Register a provider's plug-in, once a process; False where its package is not installed."""
    try:
        library = import_module(package).get_library_path()
    except ModuleNotFoundError:
        return False
    try:
        ort.register_execution_provider_library(name, library)
    except Exception as error:
        raise EngineError(f"{name}: its library does not load: {' '.join(str(error).split())}") from error
    return True


def _device(engine: str, provider: Provider, *, emulate: bool) -> Any:
    """Return the plug-in's device of its own kind, or, where it may emulate, any."""
    devices = [device for device in ort.get_ep_devices() if device.ep_name == provider.ort]
    own = [device for device in devices if device.device.type.name == provider.unit]
    if not own and not emulate:
        raise EngineError(
            f"{engine}: no {provider.unit} of its maker is here; the option 'emulate' runs its emulator, whose times "
            "mean nothing"
        )
    if not devices:
        raise EngineError(f"{engine}: the plug-in {provider.plugin} finds no device here, not even to emulate on")
    return (own or devices)[0]
