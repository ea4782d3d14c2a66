"""edgecnn's own classes and arguments against the real bindings' type checks, as far as those go without a GPU.

python real_types.py FOLDER CUDA...      FOLDER holds the unpacked bindings, CUDA folders those of cuda-bindings
"""

import importlib
import sys
from pathlib import Path

from real_api import load


def refused(call, kind) -> str:
    """Return what `call` is refused with; the stubs answer null, so that something must be."""
    try:
        call()
    except kind as error:
        return str(error)
    return ""


def main() -> None:
    """Import edgecnn's TensorRT modules over the real bindings, and call what can be called."""
    sys.path[:0] = sys.argv[2:]
    trt = load(Path(sys.argv[1]))
    sys.modules["tensorrt"] = trt
    kind = importlib.import_module("edgecnn.core.errors").EngineError
    sdk = importlib.import_module("edgecnn.runtime.engines.tensorrt_sdk")
    run = importlib.import_module("edgecnn.runtime.engines.tensorrt_run")
    engine = importlib.import_module("edgecnn.runtime.engines.tensorrt")
    build = importlib.import_module("edgecnn.compile.tensorrt.build")
    settings = importlib.import_module("edgecnn.runtime.engines.tensorrt_settings").BuildSettings()
    sdk.LOG.log(trt.ILogger.Severity.ERROR, "said")
    assert sdk.LOG.errors(0) == ["said"]
    clock = run.LayerClock()
    clock.report_layer_time("conv", 1.5)
    assert clock.times_ms == {"conv": [1.5]}
    # That a call reaches the stubs means that its arguments were taken.
    assert "plugins can't be registered" in refused(sdk.register_plugins, kind)
    assert "nullptr" in refused(lambda: sdk.made("builder", trt.Builder, sdk.LOG), kind)
    assert "nullptr" in refused(lambda: sdk.made("runtime", trt.Runtime, sdk.LOG), kind)
    assert "plugins can't be registered" in refused(lambda: build.build_plan(b"", settings, b"", 0), kind)
    assert "CUDA could not count GPUs" in refused(lambda: engine.open_engine({"m": b""}, (), (), {}), kind)
    assert 1 << int(trt.TensorFormat.LINEAR) == 1
    sys.stdout.write(f"{trt.__version__} {build.family().name}\n")


if __name__ == "__main__":
    main()
