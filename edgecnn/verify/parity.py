"""Parity: does an engine give the outputs that the original network gave?"""

import numpy as np

from edgecnn.core.bundle import Parity
from edgecnn.runtime import Model
from edgecnn.runtime.golden import golden, golden_feeds

# The error of an output with NaN or infinity in it: beyond any tolerance, and JSON can hold it.
NOT_FINITE = 1e30


def parity(model: Model, tolerance: float) -> Parity:
    """Return the mean over golden frames of ||out - golden|| / ||golden|| for each output (Frobenius norm)."""
    _, expected = golden(model.bundle)
    frames = golden_feeds(model.bundle, model.artefact)
    errors: dict[str, list[float]] = {name: [] for name in expected}
    for i, feeds in enumerate(frames):
        outputs = model.infer(feeds)
        for name, array in expected.items():
            wanted = array[i].astype(np.float64).reshape(-1)
            gap = float(np.linalg.norm(outputs[name].astype(np.float64).reshape(-1) - wanted))
            error = gap / max(float(np.linalg.norm(wanted)), 1e-12)
            errors[name].append(error if np.isfinite(error) else NOT_FINITE)
    return Parity({name: float(np.mean(values)) for name, values in errors.items()}, tolerance, len(frames))
