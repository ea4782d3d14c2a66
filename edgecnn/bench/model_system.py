"""A loaded bundle as a system, and the frames it is asked with."""

import io

import cv2
import numpy as np

from edgecnn.bench.system import System
from edgecnn.core.bundle import GOLDEN, Bundle
from edgecnn.core.errors import BundleError
from edgecnn.core.results import Frame
from edgecnn.runtime.model import Model

CAMERA_SIZE = (1280, 720)
MAX_FRAMES = 4
METHOD = "frames of 1280x720 made from the bundle's golden inputs"


def camera_frames(bundle: Bundle) -> list[Frame]:
    """Return up to four BGR frames uint8 [720, 1280, 3], resized from the bundle's golden inputs.

    Raises:
        BundleError: the golden file holds no uint8 input [N, H, W, 3].
    """
    with np.load(io.BytesIO(bundle.read(GOLDEN)), allow_pickle=False) as golden:
        inputs = [golden[name] for name in golden.files if name.startswith("input:")]
    if not inputs or inputs[0].dtype != np.uint8 or inputs[0].ndim != 4 or not len(inputs[0]):
        raise BundleError(f"{bundle.path}: {GOLDEN} holds no uint8 frames [N, H, W, 3] to measure with")
    frames: list[Frame] = []
    for picture in inputs[0][:MAX_FRAMES]:
        bgr = picture[..., ::-1] if bundle.manifest.frame.color == "rgb" else picture
        resized = cv2.resize(np.ascontiguousarray(bgr), CAMERA_SIZE, interpolation=cv2.INTER_LINEAR)
        frames.append(resized.astype(np.uint8, copy=False))
    return frames


def model_system(name: str, model: Model) -> System:
    """Return `model` as the system `name`."""
    return System(
        name=name,
        pre=model.preprocess,
        engine=model.infer,
        post=lambda outputs, frame: model.postprocess(outputs, frame.shape[1], frame.shape[0]),
        frames=camera_frames(model.bundle),
    )
