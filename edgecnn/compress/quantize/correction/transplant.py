"""What was learned for a layer in one placed model, given to the same layer in another one."""

import numpy as np
import onnx

from edgecnn.compress.quantize.correction.placed import Placed


def transplant(learned: onnx.ModelProto, model: onnx.ModelProto) -> int:
    """Give `model`, in place, the integers and biases that `learned` has for its INT8 layers; return how many took.

    A layer takes them where both models store its weights at the same scales.
    """
    source, target = Placed(learned), Placed(model)
    known = {layer.node.name: layer for layer in source.layers}
    taken = 0
    for layer in target.layers:
        twin = known.get(layer.node.name)
        if twin is None or not np.array_equal(source.scales(twin), target.scales(layer)):
            continue
        target.set_integers(layer, source.integers(twin))
        bias = source.bias(twin)
        if bias is not None:
            target.set_bias(layer, bias)
        taken += 1
    return taken
