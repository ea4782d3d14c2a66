"""What runs on the device: NumPy, OpenCV and one engine. `load` a bundle, call it on frames, stream from a camera.

The names below are imported when first asked for (PEP 562): whoever wants only `edgecnn.runtime.preprocess` or a codec
does not pay for bundles, threads and the registry, and `import edgecnn.runtime` itself stays next to free.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgecnn.runtime.model import Model, load
    from edgecnn.runtime.stream import FrameStream

__all__ = ["FrameStream", "Model", "load"]

_HOMES = {
    "FrameStream": "edgecnn.runtime.stream",
    "Model": "edgecnn.runtime.model",
    "load": "edgecnn.runtime.model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
