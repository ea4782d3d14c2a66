"""TensorRT's Python module and CUDA's, imported in this one place, and the one logger that a process has.

TensorRT on a Jetson is a system package of JetPack, tied to its CUDA; pip has it for other machines only.
"""

from collections import deque
from functools import cache
from pathlib import Path
from typing import Any, Final, final

from edgecnn.core.errors import EngineError, MissingExtraError

_ON_JETSON = Path("/etc/nv_tegra_release")
_SYSTEM = "sudo apt install python3-libnvinfer, and the system's Python or a venv made with --system-site-packages"
_JETSON = (
    f"it is a system package of JetPack, not pip's: {_SYSTEM}; where that Python is older than 3.10 (JetPack 4 and 5), "
    "`edgecnn compile BUNDLE --on-device` builds and times with trtexec"
)
_ELSEWHERE = (
    f"on a Jetson it is a system package of JetPack, not pip's ({_SYSTEM}); on other NVIDIA GPUs pip install "
    "tensorrt-cu12 or tensorrt-cu13, whichever is the driver's CUDA"
)
_CUDA = (
    "pip install 'cuda-bindings>=12.8,<13' where CUDA is 12 (JetPack 6), 'cuda-bindings>=13,<14' where it is 13 "
    "(JetPack 7)"
)

try:
    import tensorrt as trt
except ModuleNotFoundError as missing:
    hint = _JETSON if _ON_JETSON.exists() else _ELSEWHERE
    raise MissingExtraError(
        f"engine 'tensorrt' needs TensorRT's Python module, which is not installed: {hint}"
    ) from missing
try:
    from cuda.bindings import runtime as cudart
except ModuleNotFoundError as missing:
    raise MissingExtraError(
        f"engine 'tensorrt' needs CUDA's Python module, which is not installed: {_CUDA}"
    ) from missing

__all__ = ["LOG", "asked", "cudart", "made", "refusal", "register_plugins", "trt"]

_KEPT = 500
_TELLING = ("(Sparsity)", "[DlaLayer]", "[GpuLayer]")
"""What a builder says in passing of its choices; all else below a warning is dropped."""


@final
class Log(trt.ILogger):  # type: ignore[misc]  # TensorRT has no types
    """Keeps what TensorRT says: errors and warnings, and of the rest what tells where layers run."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self._errors = {trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR}
        self._loud = self._errors | {trt.ILogger.Severity.WARNING}
        self._lines: deque[tuple[int, bool, str]] = deque(maxlen=_KEPT)
        self._count = 0

    def log(self, severity: Any, msg: str) -> None:
        """Take a message; TensorRT calls this, also from threads of its own."""
        if severity in self._loud or any(mark in msg for mark in _TELLING):
            self._count += 1
            self._lines.append((self._count, severity in self._errors, msg))

    def mark(self) -> int:
        """Return where the log stands now."""
        return self._count

    def lines(self, mark: int) -> list[str]:
        """Return what was kept since `mark`, oldest first."""
        return [text for count, _, text in list(self._lines) if count > mark]

    def errors(self, mark: int) -> list[str]:
        """Return the errors since `mark`, oldest first."""
        return [text for count, error, text in list(self._lines) if error and count > mark]


LOG: Final = Log()
"""TensorRT keeps the first logger it is given for the whole process."""
MOST_WORDS = 400


def refusal(what: str, mark: int, own: str = "") -> EngineError:
    """Return an error that says `what` failed in the SDK's own words: `own`, else the errors logged since `mark`."""
    words = own or "; ".join(dict.fromkeys(LOG.errors(mark))) or "TensorRT gives no reason"
    return EngineError(f"tensorrt: {what}: {' '.join(words.split())[:MOST_WORDS]}")


@cache
def register_plugins() -> None:
    """Make TensorRT's own plugins known, which some operators are imported as.

    Raises:
        EngineError: TensorRT could not register them.
    """
    mark = LOG.mark()
    if not trt.init_libnvinfer_plugins(LOG, ""):
        raise refusal("its plugins can't be registered", mark)


def made(what: str, factory: Any, *arguments: Any) -> Any:
    """Return `factory(*arguments)`; a null pointer, which the bindings report as `TypeError` or None, is an error.

    Raises:
        EngineError: TensorRT could not make it; the error carries what it logged.
    """
    mark = LOG.mark()
    try:
        found = factory(*arguments)
    except (TypeError, RuntimeError) as error:
        raise refusal(f"no {what}", mark, "; ".join(LOG.errors(mark)) or str(error)) from error
    if found is None:
        raise refusal(f"no {what}", mark)
    return found


def asked(result: tuple[Any, ...], what: str) -> Any:
    """Return the value of a CUDA call, which gives its status first.

    Raises:
        EngineError: the status is an error; CUDA's own words say which.
    """
    status, *values = result
    if status != cudart.cudaError_t.cudaSuccess:
        _, words = cudart.cudaGetErrorString(status)
        text = words.decode() if isinstance(words, bytes) else str(words)
        raise EngineError(f"tensorrt: CUDA could not {what}: {text}")
    return values[0] if len(values) == 1 else tuple(values)
