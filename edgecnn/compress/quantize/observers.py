"""What values the activations take: the float model runs over the calibration frames, one at a time."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from edgecnn.compress.quantize.histogram import Histogram
from edgecnn.core.errors import DataError, EngineError

Feeds: TypeAlias = Mapping[str, NDArray[Any]]


def observe(
    model: onnx.ModelProto, tensors: tuple[str, ...], calibration: Iterable[Feeds], threads: int
) -> tuple[dict[str, Histogram], int]:
    """Return a histogram of each named tensor and the number of frames seen.

    `calibration` is read once and never held: memory does not grow with the number of frames.

    Raises:
        DataError: there was no frame, or a tensor held NaN or infinity.
        EngineError: ONNX Runtime refused the model or a frame.
    """
    histograms = {name: Histogram() for name in tensors}
    session = _session(model, tensors, threads)
    frames = 0
    for feeds in calibration:
        try:
            arrays = session.run(list(tensors), dict(feeds))
        except Exception as error:  # onnxruntime's own classes share no base with a name
            raise EngineError(f"calibration frame {frames}: {' '.join(str(error).split())[:300]}") from error
        frames += 1
        for name, array in zip(tensors, arrays, strict=True):
            if not np.isfinite(array).all():
                raise DataError(f"calibration frame {frames - 1} makes '{name}' hold NaN or infinity; mend the model")
            histograms[name].add(array)
    if not frames:
        raise DataError("no calibration frame was given; INT8 ranges need at least one, better 100 or more")
    return histograms, frames


def _session(model: onnx.ModelProto, tensors: tuple[str, ...], threads: int) -> onnxruntime.InferenceSession:
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    present = {value.name for value in shown.graph.output}
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors if name not in present)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes share no base with a name
        raise EngineError(f"ONNX Runtime refused the float model: {' '.join(str(error).split())[:300]}") from error
