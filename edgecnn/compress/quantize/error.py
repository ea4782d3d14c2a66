"""How far a quantized tensor is from the float one: relative error and signal-to-noise ratio, in one pass."""

import math

import numpy as np
from numpy.typing import NDArray


class ErrorSum:
    """Sums of squares over any number of frames.

    Attributes:
        signal: sum of float^2.
        noise: sum of (float - quantized)^2.
    """

    def __init__(self) -> None:
        self.signal = self.noise = 0.0

    def add(self, reference: NDArray[np.generic], value: NDArray[np.generic]) -> None:
        """Add one pair of arrays of the same number of elements, any real dtype."""
        want = np.asarray(reference, np.float64).reshape(-1)
        off = want - np.asarray(value, np.float64).reshape(-1)
        # Not `want @ want`: BLAS wakes its threads for that, which waits for a busy machine longer than it computes.
        self.signal += float(np.einsum("i,i->", want, want))
        self.noise += float(np.einsum("i,i->", off, off))

    @property
    def relative(self) -> float:
        """||quantized - float|| / ||float||; infinite if only the float tensor is zero."""
        if self.noise == 0:
            return 0.0
        return math.sqrt(self.noise / self.signal) if self.signal > 0 else math.inf

    @property
    def snr_db(self) -> float:
        """10 log10(signal / noise) in dB; infinite without noise, minus infinity without signal."""
        if self.noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal > 0 else -math.inf


def relative_error(reference: NDArray[np.generic], value: NDArray[np.generic]) -> float:
    """Return ||value - reference|| / ||reference||."""
    total = ErrorSum()
    total.add(reference, value)
    return total.relative


def snr_db(reference: NDArray[np.generic], value: NDArray[np.generic]) -> float:
    """Return the signal-to-noise ratio of `value` in dB, the signal being `reference`."""
    total = ErrorSum()
    total.add(reference, value)
    return total.snr_db
