"""edgecnn's TensorRT modules, imported over the fake module of one version and a fake CUDA."""

import importlib
import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

from fake_cuda import FakeCuda
from fake_tensorrt import FakeTensorRt

PREFIXES = ("edgecnn.runtime.engines.tensorrt", "edgecnn.compile.tensorrt")
HOST = ("tensorrt_settings", "from_onnx", "importer", "importer_ops", "importer_pairs")
FOREIGN = ("tensorrt", "cuda", "cuda.bindings", "cuda.bindings.runtime")
_KNOWN = {}


def is_bound(name):
    """Whether a module is the SDK's or imports it."""
    return name in FOREIGN or (name.startswith(PREFIXES) and not name.endswith(HOST))


def taken():
    """Take every such module out of the process and return them."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if is_bound(name)}


def first(version):
    """Import edgecnn's modules over a new fake of `version`; return the fakes and all modules."""
    cuda = FakeCuda()
    trt = FakeTensorRt(version, cuda)
    package, bindings, runtime = ModuleType("cuda"), ModuleType("cuda.bindings"), SimpleNamespace(**vars(cuda.module))
    package.bindings, bindings.runtime = bindings, runtime
    sys.modules |= dict(zip(FOREIGN, (trt.module, package, bindings, runtime), strict=True))
    for name in ("edgecnn.runtime.engines.tensorrt", "edgecnn.compile.tensorrt.build"):
        importlib.import_module(name)
    return trt, runtime, taken()


@contextmanager
def simulated(version):
    """Yield the fakes, as new, and edgecnn's modules over them; afterwards the process is as it was."""
    kept = taken()
    if version not in _KNOWN:
        _KNOWN[version] = first(version)
    trt, runtime, modules = _KNOWN[version]
    cuda = FakeCuda()
    trt.restart(cuda)
    vars(runtime).update(vars(cuda.module))
    sys.modules |= modules
    modules["edgecnn.runtime.engines.tensorrt_sdk"].register_plugins.cache_clear()
    try:
        yield SimpleNamespace(
            trt=trt,
            cuda=cuda,
            engine=modules["edgecnn.runtime.engines.tensorrt"],
            build=modules["edgecnn.compile.tensorrt.build"],
        )
    finally:
        taken()
        sys.modules |= kept
