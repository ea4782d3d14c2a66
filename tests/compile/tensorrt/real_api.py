"""What the real bindings have of the names that edgecnn uses, read from a wheel without a GPU.

The bindings' shared object wants a few C functions of libraries that go with a GPU. Stubs of those, built here, let it
load: enums, classes and the signatures in docstrings are then there; builders and runtimes are not.

    python real_api.py FOLDER      FOLDER holds the unpacked wheel; prints JSON as committed in api/
"""

import ctypes
import importlib
import inspect
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SYMBOLS = {
    "libnvinfer": (
        "createInferBuilder_INTERNAL",
        "createInferRefitter_INTERNAL",
        "createInferRuntime_INTERNAL",
        "getBuilderPluginRegistry",
        "getPluginRegistry",
    ),
    "libnvinfer_plugin": ("initLibNvInferPlugins",),
    "libnvonnxparser": (
        "createNvOnnxParser_INTERNAL",
        "createNvOnnxParserRefitter_INTERNAL",
        "getNvOnnxParserVersion",
    ),
}
# Parsers of formats that went with version 8; C++ names.
OLD_SYMBOLS = {
    "libnvparsers": (
        "_ZN11nvuffparser15createUffParserEv",
        "_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi",
        "_ZN14nvcaffeparser117createCaffeParserEv",
        "_ZN14nvcaffeparser123shutdownProtobufLibraryEv",
    )
}
ENUMS = (
    "BuilderFlag",
    "DataType",
    "DeviceType",
    "HardwareCompatibilityLevel",
    "LayerInformationFormat",
    "LayerType",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "OnnxParserFlag",
    "ProfilingVerbosity",
    "TensorFormat",
    "TensorIOMode",
    "TensorLocation",
)
MEMBERS = {
    "Builder": (
        "__init__ build_serialized_network create_builder_config create_network create_optimization_profile "
        "max_threads num_DLA_cores platform_has_fast_int8"
    ),
    "EngineInspector": "get_engine_information",
    "IBuilderConfig": (
        "DLA_core add_optimization_profile builder_optimization_level can_run_on_DLA clear_flag create_timing_cache "
        "default_device_type get_timing_cache hardware_compatibility_level profiling_verbosity set_flag "
        "set_memory_pool_limit set_timing_cache"
    ),
    "ICudaEngine": (
        "create_engine_inspector create_execution_context get_tensor_dtype get_tensor_location get_tensor_mode "
        "get_tensor_name get_tensor_shape num_io_tensors"
    ),
    "IExecutionContext": (
        "execute_async_v3 get_max_output_size get_tensor_shape infer_shapes profiler set_input_shape set_tensor_address"
    ),
    "IHostMemory": "nbytes",
    "ILayer": "name type",
    "ILogger": "__init__ log",
    "INetworkDefinition": "get_input get_layer get_output num_inputs num_layers num_outputs",
    "IOptimizationProfile": "set_shape",
    "IProfiler": "__init__ report_layer_time",
    "ITensor": "allowed_formats name shape",
    "ITimingCache": "serialize",
    "OnnxParser": "__init__ get_error num_errors parse set_flag",
    "ParserError": "desc node node_name node_operator",
    "Runtime": "__init__ DLA_core deserialize_cuda_engine engine_host_code_allowed",
}
FUNCTIONS = ("init_libnvinfer_plugins",)


def load(folder: Path):
    """Import the bindings below `folder`."""
    shared = next(folder.rglob("tensorrt.so"))
    needed = subprocess.run(["readelf", "-d", str(shared)], capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory() as built:
        for library, symbols in (SYMBOLS | OLD_SYMBOLS).items():
            name = next((word.strip("[]") for word in needed.split() if word.startswith(f"[{library}.so.")), None)
            if name is None:
                continue
            source, target = Path(built) / f"{library}.c", Path(built) / name
            source.write_text("".join(f"void *{symbol}(void) {{ return 0; }}\n" for symbol in symbols))
            subprocess.run(
                ["cc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(target), str(source)], check=True
            )
            ctypes.CDLL(str(target), ctypes.RTLD_GLOBAL)
        sys.path.insert(0, str(shared.parents[1]))
        return importlib.import_module(shared.parent.name)


def signatures(member, name):
    lines = (member.__doc__ or "").splitlines()
    return [
        line.strip().replace("tensorrt_bindings.tensorrt.", "") for line in lines if f"{name}(" in line and "->" in line
    ]


def described(package) -> dict:
    """Return version, enums, members and functions that edgecnn uses, as far as the bindings have them."""
    found = {"version": package.__version__, "enums": {}, "classes": {}, "functions": {}}
    for name in ENUMS:
        found["enums"][name] = {key: int(value) for key, value in getattr(package, name).__members__.items()}
    severity = package.ILogger.Severity.__members__
    found["enums"]["ILogger.Severity"] = {key: int(value) for key, value in severity.items()}
    for name, wanted in MEMBERS.items():
        kind, members = getattr(package, name), {}
        for member in wanted.split():
            if member not in dir(kind):
                continue
            raw = inspect.getattr_static(kind, member)
            members[member] = (
                {"writable": raw.fset is not None}
                if isinstance(raw, property)
                else signatures(getattr(kind, member), member)
            )
        found["classes"][name] = members
    for name in FUNCTIONS:
        found["functions"][name] = signatures(getattr(package, name), name)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(described(load(Path(sys.argv[1]))), indent=1) + "\n")
