"""What values the activations take: the float model runs over the calibration frames, one at a time."""

from collections.abc import Iterable

import numpy as np
import onnx

from edgecnn.compress.quantize.histogram import Histogram
from edgecnn.compress.quantize.simulate import Feeds, Simulator, chunks, value_bytes
from edgecnn.core.errors import DataError, EngineError

__all__ = ["Feeds", "observe"]


def observe(
    model: onnx.ModelProto, tensors: tuple[str, ...], calibration: Iterable[Feeds], threads: int
) -> tuple[dict[str, Histogram], int]:
    """Return a histogram of each named tensor and the number of frames seen.

    `calibration` is read once and never held: memory does not grow with the number of frames. The tensors' static
    shapes, as far as `model` gives them, say how many are fetched at once.

    Raises:
        DataError: there was no frame, or a tensor held NaN or infinity.
        EngineError: ONNX Runtime refused the model or a frame.
    """
    histograms = {name: Histogram() for name in tensors}
    simulator = Simulator(model, tensors, threads)
    parts = list(chunks(tensors, value_bytes(model)))
    frames = 0
    for feeds in calibration:
        for chunk in parts:
            _count(simulator, feeds, chunk, histograms, frames)
        frames += 1
    if not frames:
        raise DataError("no calibration frame was given; INT8 ranges need at least one, better 100 or more")
    return histograms, frames


def _count(simulator: Simulator, feeds: Feeds, chunk: list[str], histograms: dict[str, Histogram], frame: int) -> None:
    try:
        arrays = simulator.run(feeds, chunk)
    except EngineError as error:
        raise EngineError(f"calibration frame {frame}: {error}") from error
    for name, array in zip(chunk, arrays, strict=True):
        if not histograms[name].add(np.asarray(array, np.float32)):
            raise DataError(f"calibration frame {frame} makes '{name}' hold NaN or infinity; mend the model")
