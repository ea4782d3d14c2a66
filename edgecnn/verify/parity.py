"""Parity: does an engine give the outputs that the network in torch gave?"""

import io

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.bundle import GOLDEN, Bundle, Parity
from edgecnn.runtime import Model

# The error of an output with NaN or infinity in it: beyond any tolerance, and JSON can hold it.
NOT_FINITE = 1e30

Arrays = dict[str, NDArray[np.generic]]


def golden(bundle: Bundle) -> tuple[Arrays, Arrays]:
    """Return the golden inputs and outputs by tensor name, batch first."""
    with np.load(io.BytesIO(bundle.read(GOLDEN)), allow_pickle=False) as arrays:
        inputs = {name.removeprefix("input:"): arrays[name] for name in arrays.files if name.startswith("input:")}
        outputs = {name.removeprefix("output:"): arrays[name] for name in arrays.files if name.startswith("output:")}
    return inputs, outputs


def parity(model: Model, tolerance: float) -> Parity:
    """Return the mean over golden frames of ||out - golden|| / ||golden|| for each output (Frobenius norm)."""
    inputs, expected = golden(model.bundle)
    n = len(next(iter(inputs.values())))
    errors: dict[str, list[float]] = {name: [] for name in expected}
    for i in range(n):
        outputs = model.infer({name: np.ascontiguousarray(array[i : i + 1]) for name, array in inputs.items()})
        for name, array in expected.items():
            wanted = array[i].astype(np.float64)
            gap = float(np.linalg.norm(outputs[name][0].astype(np.float64) - wanted))
            error = gap / max(float(np.linalg.norm(wanted)), 1e-12)
            errors[name].append(error if np.isfinite(error) else NOT_FINITE)
    return Parity({name: float(np.mean(values)) for name, values in errors.items()}, tolerance, n)
