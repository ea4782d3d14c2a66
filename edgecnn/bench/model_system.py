"""A loaded bundle as a system, and the frames it is asked with."""

import cv2
import numpy as np

from edgecnn.bench.system import System
from edgecnn.core.bundle import GOLDEN, Bundle
from edgecnn.core.errors import BundleError
from edgecnn.core.results import Frame
from edgecnn.runtime.golden import golden, golden_feeds
from edgecnn.runtime.model import Model

CAMERA_SIZE = (1280, 720)
MAX_FRAMES = 4
METHOD = "frames of 1280x720 made from the bundle's golden inputs"


def camera_frames(bundle: Bundle) -> list[Frame]:
    """Return up to four BGR frames uint8 [720, 1280, 3], resized from the bundle's golden inputs.

    Raises:
        BundleError: the golden file holds no uint8 input [N, H, W, 3].
    """
    inputs = list(golden(bundle)[0].values())
    if not inputs or inputs[0].dtype != np.uint8 or inputs[0].ndim != 4 or not len(inputs[0]):
        raise BundleError(f"{bundle.path}: {GOLDEN} holds no uint8 frames [N, H, W, 3] to measure with")
    frame, frames = bundle.manifest.frame, list[Frame]()
    for picture in inputs[0][:MAX_FRAMES]:
        bgr = picture[..., ::-1] if frame is not None and frame.color == "rgb" else picture
        resized = cv2.resize(np.ascontiguousarray(bgr), CAMERA_SIZE, interpolation=cv2.INTER_LINEAR)
        frames.append(resized.astype(np.uint8, copy=False))
    return frames


def model_system(name: str, model: Model) -> System:
    """Return `model` as the system `name`; one that takes no camera frames is asked with its golden inputs."""
    if model.frame_spec is None:
        feeds = golden_feeds(model.bundle, model.artefact)[:MAX_FRAMES]
        # There is no frame whose size decoding could need.
        return System(name, lambda fed: fed, model.infer, lambda outputs, _: model.postprocess(outputs, 0, 0), feeds)
    return System(
        name=name,
        pre=model.preprocess,
        engine=model.infer,
        post=lambda outputs, frame: model.postprocess(outputs, frame.shape[1], frame.shape[0]),
        frames=camera_frames(model.bundle),
    )
