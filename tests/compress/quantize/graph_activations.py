"""Functions of one value, as blocks of the random graphs; some are several nodes, as exporters write them."""

import numpy as np
from graph_builder import same

ACTIVATIONS = {}
"""Every block of this file by name."""


def _activation(name, make):
    ACTIVATIONS[name] = lambda b, x: same(x, make(b, x))


def _hard_swish(b, x):
    if b.opset >= 14 and b.rng.integers(2):
        return b.node("HardSwish", [x.name])
    shifted = b.node("Add", [x.name, b.constant(np.float32(3))])
    return b.node("Div", [b.node("Mul", [x.name, b.clip(shifted, 0.0, 6.0)]), b.constant(np.array([6], np.float32))])


def _gelu(b, x):
    if b.opset >= 20 and b.rng.integers(2):
        return b.node("Gelu", [x.name])
    erf = b.node("Erf", [b.node("Div", [x.name, b.constant(np.float32(np.sqrt(2)))])])
    outer = b.node("Mul", [x.name, b.node("Add", [erf, b.constant(np.float32(1))])])
    return b.node("Mul", [outer, b.constant(np.float32(0.5))])


_activation("relu", lambda b, x: b.node("Relu", [x.name]))
_activation("relu6", lambda b, x: b.clip(x.name, 0.0, 6.0))
_activation("clip", lambda b, x: b.clip(x.name, -0.7, 1.3))
_activation("leaky_relu", lambda b, x: b.node("LeakyRelu", [x.name], alpha=0.1))
_activation("prelu", lambda b, x: b.node("PRelu", [x.name, b.floats(x.channels, 1, 1, around=0.2, spread=0.2)]))
_activation("prelu_shared", lambda b, x: b.node("PRelu", [x.name, b.floats(1, around=0.2, spread=0.1)]))
_activation("hard_swish", _hard_swish)
_activation("hard_sigmoid", lambda b, x: b.node("HardSigmoid", [x.name], alpha=1 / 6))
_activation("sigmoid", lambda b, x: b.node("Sigmoid", [x.name]))
_activation("silu", lambda b, x: b.node("Mul", [b.node("Sigmoid", [x.name]), x.name]))
_activation("tanh", lambda b, x: b.node("Tanh", [x.name]))
_activation("elu", lambda b, x: b.node("Elu", [x.name]))
_activation("softplus", lambda b, x: b.node("Softplus", [x.name]))
_activation("gelu", _gelu)
_activation("softmax", lambda b, x: b.softmax(x.name, 1, 4))
_activation("identity", lambda b, x: b.node("Identity", [x.name]))
_activation("dropout", lambda b, x: b.node("Dropout", [x.name]))
_activation("cast_to_the_same", lambda b, x: b.to_float(x.name))
_activation("arithmetic", lambda b, x: b.node("Sub", [b.constant(np.float32(1)), b.node("Neg", [x.name])]))
_activation("maximum", lambda b, x: b.node("Max", [x.name, b.constant(np.zeros((1, 1, 1, 1), np.float32))]))
