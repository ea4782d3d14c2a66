"""What every engine checks the same way: its options, the network's tensors against the manifest, the SDK's words."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from edgecnn.core.errors import EngineError, InputError
from edgecnn.core.registry import nearest
from edgecnn.core.tensor import TensorSpec

_MAX_MESSAGE = 300

Held = TypeVar("Held")


def positive(value: Any) -> bool:
    """Whether `value` is an int above zero (True is none)."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def boolean(value: Any) -> bool:
    """Whether `value` is a bool."""
    return isinstance(value, bool)


def one_of(*allowed: str) -> Callable[[Any], bool]:
    """Return a test for membership in `allowed`."""
    return lambda value: value in allowed


def check_options(
    engine: str, options: Mapping[str, Any], known: Mapping[str, tuple[Callable[[Any], bool], str]]
) -> None:
    """Raise `InputError` unless every key of `options` is in `known` and its value passes the test found there.

    `known` maps a key to its test and to the words that say what the test wants. SDKs take unknown keys silently.
    """
    for key, value in options.items():
        if key not in known:
            raise InputError(f"engine '{engine}' has no option '{key}'{nearest(key, known)}")
        accepts, wants = known[key]
        if not accepts(value):
            raise InputError(f"engine '{engine}': option '{key}' must be {wants}, not {value!r}")


def check_tensors(
    engine: str, role: str, specs: tuple[TensorSpec, ...], found: Mapping[str, tuple[list[Any], str]]
) -> None:
    """Raise `EngineError` unless the network's `role` tensors are those the manifest lists.

    `found` maps a name to (shape, NumPy dtype name); what is no int in a shape is a free dimension and fits anything.
    Inputs have to be exactly those listed. Outputs may be more: only those listed are asked for.
    """
    names = {spec.name for spec in specs}
    if not names <= set(found) or (role == "input" and names != set(found)):
        raise EngineError(f"{engine}: the manifest lists {role}s {sorted(names)}, the network has {sorted(found)}")
    for spec in specs:
        shape, dtype = found[spec.name]
        fits = len(shape) == len(spec.shape) and all(
            not isinstance(size, int) or size == wanted for size, wanted in zip(shape, spec.shape, strict=True)
        )
        if not fits or dtype != spec.dtype:
            raise EngineError(
                f"{engine}: the manifest says {role} '{spec.name}' is {spec.describe()}; it is {dtype} {shape}"
            )


def still_open(engine: str, held: Held | None) -> Held:
    """Return what an engine holds while it is open; raise `EngineError` once `close` has given it back.

    The caller's attribute is read once, as the argument: another thread's `close` must not pull it away between test
    and use.
    """
    if held is None:
        raise EngineError(f"{engine}: this engine was closed; load the bundle again")
    return held


def one_line(error: BaseException) -> str:
    """Return what an SDK's exception says as one line, without the source positions it was thrown at."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from ", "Check '"))] or lines
    text = " ".join(telling) or type(error).__name__
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 3] + "..."
