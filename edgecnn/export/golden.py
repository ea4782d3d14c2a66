"""Golden vectors: frames and what the torch FP32 module makes of them. Every engine has to give the same."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgecnn.core.errors import TensorError
from edgecnn.core.tensor import FrameSpec
from edgecnn.export.onnx_from_torch import INPUT, FromFrames
from edgecnn.models.build import Normalise

Frames = NDArray[np.uint8]


def golden(
    module: nn.Module, frame: FrameSpec, normalise: Normalise, outputs: tuple[str, ...], frames: Frames
) -> dict[str, NDArray[np.uint8] | NDArray[np.float32]]:
    """Return `input:image` uint8 [K, H, W, 3] (`frames`) and `output:<name>` float32 [K, ...], one frame at a time.

    Raises:
        TensorError: `frames` is not uint8 of the frame's size, or an output is not finite.
    """
    expected = (frame.height, frame.width, 3)
    if frames.dtype != np.uint8 or frames.shape[1:] != expected or not len(frames):
        raise TensorError(
            f"golden frames must be uint8 [K, {frame.height}, {frame.width}, 3], K >= 1; "
            f"got {frames.dtype} {list(frames.shape)}"
        )
    wrapped = FromFrames(module, frame, normalise).eval()
    with torch.no_grad():
        results = [wrapped(torch.from_numpy(np.ascontiguousarray(one[None]))) for one in frames]
    arrays: dict[str, NDArray[np.uint8] | NDArray[np.float32]] = {f"input:{INPUT}": frames}
    for index, name in enumerate(outputs):
        array = np.concatenate([np.asarray(result[index].float().numpy(), np.float32) for result in results])
        if not np.isfinite(array).all():
            raise TensorError(f"the module's output '{name}' holds NaN or infinity; it can't be a golden vector")
        arrays[f"output:{name}"] = array
    return arrays
