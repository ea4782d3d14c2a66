"""The part of a sample's truth that a format has room for."""

from edgecnn.core.errors import DataError
from edgecnn.core.results import Detections, Lanes, Scene
from edgecnn.data.sample import Sample


def lanes_of(sample: Sample, form: str) -> Lanes:
    """Return the lane lines of `sample`.

    Raises:
        DataError: it has none; `form` is the format that needs them.
    """
    lanes = sample.truth.lanes if isinstance(sample.truth, Scene) else sample.truth
    if not isinstance(lanes, Lanes):
        raise DataError(f"{sample.where}: this label holds no lane lines; the format {form} can hold nothing else")
    return lanes


def objects_of(sample: Sample, form: str) -> Detections:
    """Return the objects of `sample`.

    Raises:
        DataError: it has none; `form` is the format that needs them.
    """
    objects = sample.truth.objects if isinstance(sample.truth, Scene) else sample.truth
    if not isinstance(objects, Detections):
        raise DataError(f"{sample.where}: this label holds no objects; the format {form} can hold nothing else")
    return objects
