"""Nodes that a user keeps in float: named one by one or by pattern, and every name has to mean one."""

import fnmatch
from collections.abc import Iterable
from typing import final

import onnx

from edgecnn.core.errors import InputError
from edgecnn.core.registry import nearest

WILD = frozenset("*?[")


@final
class Kept:
    """Node names and name patterns (`*`, `?`, `[]`); a node may be called what reads like a pattern."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._exact = set(patterns)
        self._wild = sorted(pattern for pattern in self._exact if WILD & set(pattern))

    def match(self, name: str) -> str | None:
        """Return the pattern that the node called `name` is kept by, None where none is for it."""
        if name in self._exact:
            return name
        return next((pattern for pattern in self._wild if fnmatch.fnmatchcase(name, pattern)), None)


def check_kept(model: onnx.ModelProto, patterns: Iterable[str]) -> None:
    """See that each of `patterns` means a node of the prepared `model`.

    Raises:
        InputError: one means none, as a misspelt name does; the message tells the nearest names.
    """
    names = [node.name for node in model.graph.node if node.name]
    for pattern in patterns:
        kept = Kept([pattern])
        if not any(kept.match(name) for name in names):
            raise InputError(
                f"no node of the prepared model is called '{pattern}', to be kept in float{nearest(pattern, names)}"
            )
