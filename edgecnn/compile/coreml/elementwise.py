"""Functions of one element, sums and products."""

import numpy as np

from edgecnn.compile.coreml.call import Call, Table, Translate, Value
from edgecnn.compile.coreml.sdk import mb

_CASTS = {1: "fp32", 6: "int32", 7: "int32", 9: "bool", 10: "fp32", 11: "fp32", 2: "fp32", 3: "fp32"}
"""MIL's type for ONNX's. Pixels and other bytes are whole numbers in float32: Core ML takes no bytes."""


def _plain(name: str) -> Translate:
    return lambda call: getattr(mb, name)(x=call[0])


def _pairwise(name: str) -> Translate:
    """Return the translation of an operator of two inputs, or of any number where ONNX lets it have those."""

    def translate(call: Call) -> Value:
        first, *others = call
        for other in others:
            first = getattr(mb, name)(x=first, y=other)
        return first

    return translate


def _clip(call: Call) -> Value:
    low = float(call.constant(1)) if call.has(1) else float(call.get("min", -np.inf))
    high = float(call.constant(2)) if call.has(2) else float(call.get("max", np.inf))
    limit = float(np.finfo(np.float32).max)
    return mb.clip(x=call[0], alpha=max(low, -limit), beta=min(high, limit))


def _prelu(call: Call) -> Value:
    slope = call.constant(1).astype(np.float32)
    channels = int(call[0].shape[1]) if call.rank() > 1 else 1
    if slope.size not in (1, channels) or call.rank() < 3:
        raise call.error("has a slope that is neither one for all nor one a channel")
    return mb.prelu(x=call[0], alpha=np.broadcast_to(slope.reshape(-1), (channels,)).copy())


def _hard_sigmoid(call: Call) -> Value:
    return mb.sigmoid_hard(x=call[0], alpha=float(call.get("alpha", 0.2)), beta=float(call.get("beta", 0.5)))


def _hard_swish(call: Call) -> Value:
    return mb.mul(x=call[0], y=mb.sigmoid_hard(x=call[0], alpha=1 / 6, beta=0.5))


def _gelu(call: Call) -> Value:
    mode = "TANH_APPROXIMATION" if call.get("approximate", "none") == "tanh" else "EXACT"
    return mb.gelu(x=call[0], mode=mode)


def _mish(call: Call) -> Value:
    return mb.mul(x=call[0], y=mb.tanh(x=mb.softplus(x=call[0])))


def _cast(call: Call) -> Value:
    to = int(call.get("to"))
    if to not in _CASTS:
        raise call.error(f"casts to a type of ONNX (number {to}) that Core ML has not")
    return mb.cast(x=call[0], dtype=_CASTS[to])


ELEMENTWISE: Table = {
    **{op: _plain(op.lower()) for op in ("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Relu", "Round", "Sigmoid")},
    **{op: _plain(op.lower()) for op in ("Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Tanh", "Identity")},
    "Silu": _plain("silu"),
    "Swish": _plain("silu"),
    "Add": _pairwise("add"),
    "Sum": _pairwise("add"),
    "Sub": _pairwise("sub"),
    "Mul": _pairwise("mul"),
    "Div": _pairwise("real_div"),
    "Pow": _pairwise("pow"),
    "Max": _pairwise("maximum"),
    "Min": _pairwise("minimum"),
    "Greater": _pairwise("greater"),
    "GreaterOrEqual": _pairwise("greater_equal"),
    "Less": _pairwise("less"),
    "LessOrEqual": _pairwise("less_equal"),
    "Equal": _pairwise("equal"),
    "Where": lambda call: mb.select(cond=call[0], a=call[1], b=call[2]),
    "Neg": lambda call: mb.mul(x=call[0], y=np.float32(-1)),
    "Reciprocal": lambda call: mb.real_div(x=np.float32(1), y=call[0]),
    "Log": lambda call: mb.log(x=call[0], epsilon=0.0),
    "LeakyRelu": lambda call: mb.leaky_relu(x=call[0], alpha=float(call.get("alpha", 0.01))),
    "Elu": lambda call: mb.elu(x=call[0], alpha=float(call.get("alpha", 1.0))),
    "Dropout": lambda call: mb.identity(x=call[0]),
    "Clip": _clip,
    "PRelu": _prelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Gelu": _gelu,
    "Mish": _mish,
    "Cast": _cast,
}
