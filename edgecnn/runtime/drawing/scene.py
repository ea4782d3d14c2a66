"""Lanes and objects on one frame: the road below, who is on it above."""

from edgecnn.core.results import Frame, Scene
from edgecnn.runtime.drawing import lanes, objects


def draw(frame: Frame, result: Scene, *, label: str = "", truth: Scene | None = None) -> Frame:
    """Return a copy of `frame` with the lanes and the objects of `result` on it, as their own drawings show them.

    Args:
        frame: uint8 BGR [H, W, 3]; left as it is.
        result: what was found.
        label: a short text for the top-left corner; ASCII.
        truth: what is labelled.

    Raises:
        TensorError: the frame is not a uint8 picture of three channels.
    """
    road = lanes.draw(frame, result.lanes, truth=truth.lanes if truth else None)
    return objects.draw(road, result.objects, label=label, truth=truth.objects if truth else None)
