"""What the real cuda-bindings have of the names that edgecnn uses; they load without a GPU.

python real_cuda.py FOLDER ...      the folders hold unpacked wheels (cuda-bindings, cuda-pathfinder)
"""

import importlib
import json
import sys

FUNCTIONS = (
    "cudaDriverGetVersion",
    "cudaFree",
    "cudaFreeHost",
    "cudaGetDevice",
    "cudaGetDeviceCount",
    "cudaGetDeviceProperties",
    "cudaGetErrorString",
    "cudaGetLastError",
    "cudaGraphDestroy",
    "cudaGraphExecDestroy",
    "cudaGraphInstantiate",
    "cudaGraphLaunch",
    "cudaHostAlloc",
    "cudaMalloc",
    "cudaMemcpyAsync",
    "cudaRuntimeGetVersion",
    "cudaStreamBeginCapture",
    "cudaStreamCreateWithFlags",
    "cudaStreamDestroy",
    "cudaStreamEndCapture",
    "cudaStreamSynchronize",
)
ENUMS = ("cudaMemcpyKind", "cudaStreamCaptureMode")
ERRORS = ("cudaSuccess", "cudaErrorNoDevice", "cudaErrorInvalidValue", "cudaErrorStreamCaptureUnsupported")
CONSTANTS = ("cudaHostAllocDefault", "cudaStreamNonBlocking")
PROPERTIES = ("major", "minor", "multiProcessorCount", "name")


def described(version, runtime) -> dict:
    """Return what of CUDA's runtime edgecnn uses, as far as the bindings have it."""
    return {
        "version": version,
        "functions": {
            name: getattr(runtime, name).__doc__.splitlines()[0] for name in FUNCTIONS if name in dir(runtime)
        },
        "enums": {name: {one.name: int(one) for one in getattr(runtime, name)} for name in ENUMS}
        | {"cudaError_t": {name: int(getattr(runtime.cudaError_t, name)) for name in ERRORS}},
        "constants": {name: int(getattr(runtime, name)) for name in CONSTANTS},
        "properties": [name for name in PROPERTIES if name in dir(runtime.cudaDeviceProp)],
    }


if __name__ == "__main__":
    sys.path[:0] = sys.argv[1:]
    told = importlib.import_module("cuda.bindings").__version__
    found = described(told, importlib.import_module("cuda.bindings.runtime"))
    sys.stdout.write(json.dumps(found, indent=1, sort_keys=True) + "\n")
