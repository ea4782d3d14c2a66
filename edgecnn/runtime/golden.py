"""Golden vectors of a bundle: inputs, and the outputs that every artefact must give for them."""

import io
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.bundle import GOLDEN, Artefact, Bundle
from edgecnn.core.errors import BundleError

Arrays: TypeAlias = dict[str, NDArray[Any]]


def golden(bundle: Bundle) -> tuple[Arrays, Arrays]:
    """Return the golden inputs and outputs by tensor name, frames first."""
    with np.load(io.BytesIO(bundle.read(GOLDEN)), allow_pickle=False) as arrays:
        inputs = {name.removeprefix("input:"): arrays[name] for name in arrays.files if name.startswith("input:")}
        outputs = {name.removeprefix("output:"): arrays[name] for name in arrays.files if name.startswith("output:")}
    return inputs, outputs


def golden_feeds(bundle: Bundle, artefact: Artefact) -> list[Arrays]:
    """Return the golden inputs frame by frame, each of the name and shape that `artefact` takes.

    Not every network has a batch axis; the frames of one that has none stand beside each other all the same.

    Raises:
        BundleError: an input of the artefact is not among them, or has another size.
    """
    inputs, _ = golden(bundle)
    count = min((len(array) for array in inputs.values()), default=0)
    try:
        return [
            {spec.name: np.ascontiguousarray(inputs[spec.name][i].reshape(spec.shape)) for spec in artefact.inputs}
            for i in range(count)
        ]
    except (KeyError, ValueError) as error:
        raise BundleError(f"{bundle.path}: {GOLDEN} does not fit artefact '{artefact.name}': {error}") from error
