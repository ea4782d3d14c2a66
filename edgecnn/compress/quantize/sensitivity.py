"""What each unit's quantization alone does to the network's outputs."""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from edgecnn.compress.quantize.simulate import Feeds, output_error, outputs
from edgecnn.core.progress import bar


def measure_sensitivity(
    names: Sequence[str],
    build: Callable[[Sequence[str]], onnx.ModelProto],
    frames: Sequence[Feeds],
    reference: Sequence[Sequence[NDArray[np.generic]]],
    threads: int,
    seconds: float,
) -> NDArray[np.float64]:
    """Return noise over signal power of the outputs with one unit in INT8 and all others in float, [units].

    Where that would take longer than `seconds`, first fewer frames are used, then neighbours are probed together and
    share what is found evenly.

    Args:
        names: the units, in the graph's order.
        build: gives the network in which the named units alone run in INT8.
        frames: what it is run on, held in memory.
        reference: the float network's outputs of those frames.
        threads: of ONNX Runtime.
        seconds: about how long it may take.
    """
    if not names:
        return np.zeros(0)
    began = time.monotonic()
    outputs(build(names[:1]), frames[:1], threads)
    one_s = time.monotonic() - began
    count = max(1, min(len(frames), int(seconds / (one_s * len(names)))))
    together = max(1, math.ceil(one_s * count * len(names) / seconds / 2))
    noise = np.zeros(len(names))
    with bar("probe layers", len(names)) as shown:
        for first in range(0, len(names), together):
            group = names[first : first + together]
            found = output_error(reference[:count], outputs(build(group), frames[:count], threads)) ** 2
            noise[first : first + together] = found / len(group)
            shown.advance(len(group))
    return noise
