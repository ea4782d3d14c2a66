"""What the tests of the object formats build with."""

import cv2
import numpy as np
from hypothesis import strategies as st

from edgecnn.data.formats.format import Fault, format_of
from edgecnn.data.formats.object_labels import detections, labelled
from edgecnn.data.sample import Sample, image_size


def picture(path, width=64, height=48, shade=90):
    """Write one picture and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), shade, np.uint8))
    return path


def sample(path, *objects, names=(), tags=()):
    """Return a sample whose picture lies at `path`."""
    return Sample(path, detections(objects, *image_size(path), names), tags, f"{path}:1")


def entries(form, root, labels=()):
    """Return all entries; none may be a fault."""
    found = list(format_of(form).entries(root, labels))
    assert not [one for one in found if isinstance(one, Fault)]
    return found


def faults(form, root, labels=()):
    """Return the faults of a folder."""
    return [one for one in format_of(form).entries(root, labels) if isinstance(one, Fault)]


def told(one):
    """Return all that a sample's objects say, by names instead of places in a list of names."""
    return [
        (
            tuple(round(float(side), 2) for side in thing.box),
            thing.name,
            thing.ignore,
            None if thing.visible is None else tuple(round(float(side), 2) for side in thing.visible),
            None if thing.score is None else round(thing.score, 4),
            dict(thing.attributes),
        )
        for thing in labelled(one.truth)
    ]


def places(one):
    """Return boxes, names and ignore flags alone: what every object format can express."""
    return [line[:3] for line in told(one)]


@st.composite
def boxes(draw, width=64, height=48, *, whole=False):
    """Draw boxes of which at least a pixel lies in the frame, to 1/100 pixel or to whole ones."""
    step = 1 if whole else 0.25
    left = draw(st.integers(0, int((width - 4) / step))) * step
    top = draw(st.integers(0, int((height - 4) / step))) * step
    wide = draw(st.integers(int(2 / step), int((width - left) / step))) * step
    high = draw(st.integers(int(2 / step), int((height - top) / step))) * step
    return float(left), float(top), float(left + wide), float(top + high)
