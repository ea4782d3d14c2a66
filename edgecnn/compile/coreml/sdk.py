"""coremltools, without the frameworks that it would import to convert from: three seconds of work instead of fourteen.

Nothing here converts from them, and a machine that compiles need not have them.
"""

import contextlib
import io
import sys

_UNUSED = ("sklearn", "tensorflow", "torch", "xgboost")

_loaded = {name: sys.modules[name] for name in _UNUSED if name in sys.modules}
# What stands for None here is taken as not installed.
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]
try:
    # It says on stderr what only macOS has.
    with contextlib.redirect_stderr(io.StringIO()):
        import coremltools
        from coremltools.converters.mil import Builder
        from coremltools.converters.mil.mil import Function, Program, types
        from coremltools.proto import FeatureTypes_pb2, MIL_pb2, Model_pb2
finally:
    for _name in _UNUSED:
        del sys.modules[_name]
    sys.modules.update(_loaded)

mb = Builder
__all__ = ["FeatureTypes_pb2", "Function", "MIL_pb2", "Model_pb2", "Program", "coremltools", "mb", "types"]
