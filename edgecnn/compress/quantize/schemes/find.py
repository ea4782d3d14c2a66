"""The scheme behind a name that a user gives."""

from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.core.errors import InputError
from edgecnn.core.registry import TARGETS, known, nearest, resolve


def scheme_for(name: str) -> Scheme:
    """Return the scheme called `name`, or the one of the target called `name`.

    Raises:
        InputError: there is neither; the error names the nearest one.
    """
    schemes = known("scheme")
    if name not in TARGETS and name not in schemes:
        raise InputError(f"unknown target or scheme '{name}'{nearest(name, [*TARGETS, *schemes])}")
    scheme: Scheme = resolve("scheme", TARGETS[name].scheme if name in TARGETS else name)
    return scheme
