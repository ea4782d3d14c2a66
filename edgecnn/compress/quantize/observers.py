"""What values the activations take: the float model runs over the calibration frames, one at a time."""

from collections.abc import Iterable, Iterator

import numpy as np
import onnx

from edgecnn.compress.quantize.histogram import Histogram
from edgecnn.compress.quantize.simulate import Feeds, Simulator
from edgecnn.core.errors import DataError, EngineError

__all__ = ["Feeds", "observe"]

FETCH_BYTES = 256 << 20
"""Values fetched in one go. A model with more is run again for the rest, so that memory stays bounded."""


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
    chunks = list(_chunks(tensors, _sizes(model)))
    frames = 0
    for feeds in calibration:
        for chunk in chunks:
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


def _sizes(model: onnx.ModelProto) -> dict[str, int]:
    """Return the bytes of each value whose shape the model states."""
    known = {}
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        known[value.name] = 4 * int(np.prod([max(dim, 1) for dim in dims], dtype=np.int64))
    return known


def _chunks(tensors: tuple[str, ...], sizes: dict[str, int]) -> Iterator[list[str]]:
    chunk: list[str] = []
    total = 0
    for name in tensors:
        size = sizes.get(name, 0)
        if chunk and total + size > FETCH_BYTES:
            yield chunk
            chunk, total = [], 0
        chunk.append(name)
        total += size
    if chunk:
        yield chunk
