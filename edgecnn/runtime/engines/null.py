"""Null engine: checks its inputs as every engine does and answers zeros at once. It measures the harness itself."""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import InputError
from edgecnn.core.registry import nearest
from edgecnn.core.tensor import TensorSpec, check_feeds

OPTIONS = ("threads",)


@final
class NullEngine:
    """Answers the same zeros to every call; they are read-only, since all callers share them."""

    name = "null"

    def __init__(self, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self._zeros = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in outputs}
        for array in self._zeros.values():
            array.flags.writeable = False

    def infer(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return zeros of the outputs' shapes after checking `feeds`."""
        check_feeds(self.inputs, feeds)
        return dict(self._zeros)

    def facts(self) -> dict[str, Any]:
        """Return that nothing is computed."""
        return {"engine": self.name, "computes": False, "threads": 0}

    def close(self) -> None:
        """Nothing is held."""


def open_engine(
    files: Mapping[str, bytes],  # noqa: ARG001 - every engine is opened alike; this one needs no network
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    options: Mapping[str, Any],
) -> NullEngine:
    """Open an engine that answers zeros; `threads` is taken and means nothing."""
    for key in options:
        if key not in OPTIONS:
            raise InputError(f"unknown option '{key}' of engine 'null'{nearest(key, OPTIONS)}")
    return NullEngine(inputs, outputs)
