"""A picture with what its label says drawn on it."""

from pathlib import Path

import cv2

from edgecnn.core import atomic
from edgecnn.core.registry import resolve
from edgecnn.core.results import Lanes, Scene
from edgecnn.data.sample import Sample, read_image

_QUALITY = 92


def draw_label(sample: Sample, path: Path) -> None:
    """Write the sample's picture with its label drawn to the JPEG `path`.

    Raises:
        DataError: the picture can't be read.
    """
    truth = sample.truth
    name = "scene" if isinstance(truth, Scene) else "lanes" if isinstance(truth, Lanes) else "objects"
    caption = " ".join([sample.image.name, *sample.tags]).encode("ascii", "replace").decode()
    drawn = resolve("drawing", name)(read_image(sample.image), truth, label=caption)
    _, data = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    atomic.write_bytes(path, data.tobytes())
