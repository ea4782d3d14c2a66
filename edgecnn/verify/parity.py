"""Parity: does an engine give the outputs that the original network gave?"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.bundle import Parity
from edgecnn.runtime import Model
from edgecnn.runtime.golden import golden, golden_feeds

# The error of an output with NaN or infinity in it: beyond any tolerance, and JSON can hold it.
NOT_FINITE = 1e30

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


def parity(model: Model, tolerance: float) -> Parity:
    """Return the mean over golden frames of ||out - golden|| / ||golden|| for each output (Frobenius norm)."""
    return parity_of(answers(model), expected(model), tolerance)


def parity_of(found: Sequence[Arrays], wanted: Sequence[Arrays], tolerance: float) -> Parity:
    """Return the parity of outputs already found, a frame each, with those wanted."""
    return Parity(relative_errors(found, wanted), tolerance, len(found))


def answers(model: Model) -> list[Arrays]:
    """Return what `model` gives for the golden inputs, a frame each."""
    return [model.infer(feeds) for feeds in golden_feeds(model.bundle, model.artefact)]


def expected(model: Model) -> list[Arrays]:
    """Return the golden outputs, a frame each, in the shapes that the model gives them."""
    _, outputs = golden(model.bundle)
    shapes = {spec.name: spec.shape for spec in model.artefact.outputs}
    count = min(map(len, outputs.values()), default=0)
    return [{name: array[i].reshape(shapes[name]) for name, array in outputs.items()} for i in range(count)]


def relative_errors(found: Sequence[Arrays], wanted: Sequence[Arrays]) -> dict[str, float]:
    """Return the mean over frames of ||found - wanted|| / ||wanted|| for each output that is wanted."""
    errors: dict[str, list[float]] = {name: [] for name in wanted[0]}
    for got, want in zip(found, wanted, strict=True):
        for name, array in want.items():
            exact = array.astype(np.float64)
            gap = float(np.linalg.norm((got[name].astype(np.float64) - exact).reshape(-1)))
            error = gap / max(float(np.linalg.norm(exact.reshape(-1))), 1e-12)
            errors[name].append(error if np.isfinite(error) else NOT_FINITE)
    return {name: float(np.mean(values)) for name, values in errors.items()}


def greatest_errors(found: Sequence[Arrays], wanted: Sequence[Arrays]) -> dict[str, float]:
    """Return the greatest |found - wanted| over all frames for each output that is wanted."""
    greatest = dict.fromkeys(wanted[0], 0.0)
    for got, want in zip(found, wanted, strict=True):
        for name, array in want.items():
            gap = float(np.abs(got[name].astype(np.float64) - array.astype(np.float64)).max(initial=0.0))
            greatest[name] = max(greatest[name], gap if np.isfinite(gap) else NOT_FINITE)
    return greatest
