"""What an error in the middle of a network does to its outputs: the float network runs with the error added there."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
from onnx import helper

from edgecnn.compress.quantize.error import ErrorSum
from edgecnn.compress.quantize.simulate import Array, Feeds, Simulator

ADDED = "added:"


class Reach:
    """A float network that takes an error for any of its `values` (float32) and gives its float outputs."""

    def __init__(self, model: onnx.ModelProto, values: Iterable[str], threads: int) -> None:
        """Open the network.

        Raises:
            EngineError: ONNX Runtime refused the model.
        """
        self._simulator = Simulator(_open_at(model, set(values)), (), threads)

    def clean(self, feeds: Feeds) -> list[Array]:
        """Return the outputs of one frame without any error."""
        return self._simulator.run(feeds)

    def noise(self, feeds: Feeds, clean: Sequence[Array], errors: Mapping[str, Array]) -> float:
        """Return ||out - clean||^2 / ||clean||^2, mean over the float outputs, with `errors` added to their values.

        Outputs that are zero throughout are left out; infinity where the error makes an output overflow.
        """
        outputs = self._simulator.run({**feeds, **{ADDED + name: error for name, error in errors.items()}})
        totals = []
        for want, got in zip(clean, outputs, strict=True):
            total = ErrorSum()
            if np.issubdtype(want.dtype, np.floating):
                total.add(want, got)
            if total.signal > 0:
                totals.append(total.relative**2)
        noise = float(np.mean(totals)) if totals else 0.0
        return noise if np.isfinite(noise) else np.inf


def _open_at(model: onnx.ModelProto, values: set[str]) -> onnx.ModelProto:
    """Return the model with an Add behind each of the values; what it adds is an input that is zero unless given."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    # Only since IR version 4 may an initializer be an input as well as stand for its default.
    opened.ir_version = max(opened.ir_version, 4)
    del opened.graph.node[:]
    for node in model.graph.node:
        copy = opened.graph.node.add()
        copy.CopyFrom(node)
        here = [name for name in node.output if name in values]
        copy.output[:] = [f"{ADDED}before:{name}" if name in values else name for name in node.output]
        for name in here:
            opened.graph.node.append(helper.make_node("Add", [f"{ADDED}before:{name}", ADDED + name], [name]))
            # Without a shape, so that zero in one number and an error a value both fit.
            opened.graph.input.append(helper.make_tensor_value_info(ADDED + name, onnx.TensorProto.FLOAT, None))
            opened.graph.initializer.append(helper.make_tensor(ADDED + name, onnx.TensorProto.FLOAT, [1], [0.0]))
    return opened
