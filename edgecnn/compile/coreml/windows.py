"""Pooling, reductions, and what they and convolutions say of padding."""

from typing import Any

from edgecnn.compile.coreml.call import Call, Table, Translate, Value
from edgecnn.compile.coreml.sdk import mb

_AUTO = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}


def padding(call: Call, rank: int) -> dict[str, Any]:
    """Return MIL's `pad_type` and `pad`; ONNX has all starts before all ends, MIL start and end of each axis."""
    if (auto := call.get("auto_pad", "NOTSET")) in _AUTO:
        return {"pad_type": _AUTO[auto]}
    pads = call.get("pads", [0] * 2 * rank)
    return {"pad_type": "custom", "pad": [int(pads[axis + side * rank]) for axis in range(rank) for side in (0, 1)]}


def _pool(name: str) -> Translate:
    def translate(call: Call) -> Value:
        kernel = [int(size) for size in call.get("kernel_shape")]
        rank = len(kernel)
        if any(size != 1 for size in call.get("dilations", [1])):
            raise call.error("has a dilated window, which Core ML has not")
        if call.outputs > 1:
            raise call.error("gives the places of its maxima, which Core ML does not")
        given: dict[str, Any] = (
            {} if name == "max_pool" else {"exclude_padding_from_average": not call.get("count_include_pad", 0)}
        )
        return getattr(mb, name)(
            x=call[0],
            kernel_sizes=kernel,
            strides=[int(step) for step in call.get("strides", [1] * rank)],
            ceil_mode=bool(call.get("ceil_mode", 0)),
            **padding(call, rank),
            **given,
        )

    return translate


def _reduce(name: str) -> Translate:
    def translate(call: Call) -> Value:
        axes = call.numbers(1, "axes")
        if not axes:
            if call.get("noop_with_empty_axes", 0):
                return mb.identity(x=call[0])
            axes = list(range(call.rank()))
        return getattr(mb, name)(x=call[0], axes=axes, keep_dims=bool(call.get("keepdims", 1)))

    return translate


def _whole(name: str) -> Translate:
    return lambda call: getattr(mb, name)(x=call[0], axes=list(range(2, call.rank())), keep_dims=True)


def _argument(name: str) -> Translate:
    def translate(call: Call) -> Value:
        if call.get("select_last_index", 0):
            raise call.error("wants the last of equal values; Core ML gives the first")
        return getattr(mb, name)(x=call[0], axis=call.axis(0), keep_dims=bool(call.get("keepdims", 1)))

    return translate


WINDOWS: Table = {
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
    "GlobalAveragePool": _whole("reduce_mean"),
    "GlobalMaxPool": _whole("reduce_max"),
    "ReduceMean": _reduce("reduce_mean"),
    "ReduceSum": _reduce("reduce_sum"),
    "ReduceMax": _reduce("reduce_max"),
    "ReduceMin": _reduce("reduce_min"),
    "ReduceProd": _reduce("reduce_prod"),
    "ReduceL1": _reduce("reduce_l1_norm"),
    "ReduceL2": _reduce("reduce_l2_norm"),
    "ReduceSumSquare": _reduce("reduce_sum_square"),
    "ArgMax": _argument("reduce_argmax"),
    "ArgMin": _argument("reduce_argmin"),
}
