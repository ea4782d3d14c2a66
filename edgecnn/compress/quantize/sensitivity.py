"""What each unit's quantization alone does to the network's outputs."""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from edgecnn.compress.quantize.simulate import Array, Feeds, graph_inputs, output_error, outputs
from edgecnn.core.errors import DataError
from edgecnn.core.progress import bar
from edgecnn.metrics.agreement import AgreementJudge

RANK = 4
TIE = 1e-3
"""How much the plain error of the outputs counts beside that of what they decide."""


class Disturbance:
    """How far a network's outputs are from the float one's, in what they decide; squares of small ones add up.

    Not the error of all outputs alike: of a detector's output most is background and the boxes there, and a
    disturbance that is lost among them may turn every object's score.
    """

    def __init__(
        self, frames: Sequence[Feeds], reference: Sequence[Sequence[Array]], size: tuple[int, int] | None, threads: int
    ) -> None:
        """Take the float network's outputs of `frames`, both held in memory; `size` is the picture's, where it is one.

        A disturbance of no frame's decisions, of outputs that are no number anywhere, is that of the values.
        """
        self._frames, self._reference, self._threads = frames, reference, threads
        self._size = size
        self._judges: dict[int, AgreementJudge | None] = {}

    def power(self, model: onnx.ModelProto, count: int) -> float:
        """Return the squared disturbance of `model` on the first `count` frames."""
        got = outputs(model, self._frames[:count], self._threads)
        noise = output_error(self._reference[:count], got) ** 2
        judge = self._judge(count)
        return TIE * noise + (judge.distance(map(_by_place, got)) ** 2 if judge else noise)

    def _judge(self, count: int) -> AgreementJudge | None:
        if count not in self._judges:
            try:
                self._judges[count] = AgreementJudge([_by_place(one) for one in self._reference[:count]], self._size)
            except DataError:
                self._judges[count] = None
        return self._judges[count]


def _by_place(arrays: Sequence[Array]) -> dict[str, Array]:
    return {str(place): array for place, array in enumerate(arrays)}


def picture_size(model: onnx.ModelProto) -> tuple[int, int] | None:
    """Return (height, width) of the model's one picture, None where it takes none or several."""
    shapes = [[dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in graph_inputs(model)]
    if len(shapes) != 1 or len(shapes[0]) != RANK:
        return None
    _, first, second, third = shapes[0]
    return (first, second) if third < first else (second, third)


def measure_sensitivity(
    names: Sequence[str],
    build: Callable[[Sequence[str]], onnx.ModelProto],
    disturbance: Disturbance,
    most_frames: int,
    seconds: float,
) -> NDArray[np.float64]:
    """Return the power of the disturbance by one unit in INT8 with all others in float, [units].

    Where that would take longer than `seconds`, first fewer frames are used, then neighbours are probed together and
    share what is found evenly.

    Args:
        names: the units, in the graph's order.
        build: gives the network in which the named units alone run in INT8.
        disturbance: measures it.
        most_frames: the most frames it is measured on.
        seconds: about how long it may take.
    """
    if not names:
        return np.zeros(0)
    began = time.monotonic()
    disturbance.power(build(names[:1]), 1)
    one_s = time.monotonic() - began
    count = max(1, min(most_frames, int(seconds / (one_s * len(names)))))
    together = max(1, math.ceil(one_s * count * len(names) / seconds / 2))
    noise = np.zeros(len(names))
    with bar("probe layers", len(names)) as shown:
        for first in range(0, len(names), together):
            group = names[first : first + together]
            noise[first : first + together] = disturbance.power(build(group), count) / len(group)
            shown.advance(len(group))
    return noise
