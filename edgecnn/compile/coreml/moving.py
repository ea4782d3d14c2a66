"""What moves values and computes none: shapes, slices, joins, padding, resizing."""

import numpy as np

from edgecnn.compile.coreml.call import Call, Table, Value, fixed
from edgecnn.compile.coreml.sdk import mb

_PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
# ONNX's (where a pixel lies, its corners) as MIL's (corners aligned, centres at halves).
_BILINEAR = {
    "half_pixel": (False, True),
    "pytorch_half_pixel": (False, True),
    "asymmetric": (False, False),
    "align_corners": (True, False),
}


def _reshape(call: Call) -> Value:
    wanted, have = call.numbers(1) or [], fixed(call[0].shape)
    if not call.get("allowzero", 0):
        wanted = [have[place] if size == 0 else size for place, size in enumerate(wanted)]
    return mb.reshape(x=call[0], shape=wanted)


def _flatten(call: Call) -> Value:
    shape, axis = fixed(call[0].shape), call.axis(1)
    return mb.reshape(x=call[0], shape=[int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))])


def _transpose(call: Call) -> Value:
    return mb.transpose(x=call[0], perm=list(call.get("perm", reversed(range(call.rank())))))


def _squeeze(call: Call) -> Value:
    axes = call.numbers(1, "axes")
    return mb.squeeze(x=call[0], axes=axes) if axes else mb.squeeze(x=call[0])


def _unsqueeze(call: Call) -> Value:
    return mb.expand_dims(x=call[0], axes=call.numbers(1, "axes"))


def _slice(call: Call) -> Value:
    shape = fixed(call[0].shape)
    starts, ends = call.numbers(1, "starts") or [], call.numbers(2, "ends") or []
    axes = call.numbers(3, "axes") or list(range(len(starts)))
    steps = call.numbers(4) or [1] * len(starts)
    begin, end, stride = [0] * len(shape), list(shape), [1] * len(shape)
    open_end = [False] * len(shape)
    for axis, start, stop, step in zip(axes, starts, ends, steps, strict=True):
        first, last, pace = slice(start, stop, step).indices(shape[axis])
        # Python's own reading of a walk backwards to the front: it ends before the first element.
        open_end[axis] = pace < 0 and last < 0
        begin[axis], end[axis], stride[axis] = first, max(last, 0), pace
    return mb.slice_by_index(x=call[0], begin=begin, end=end, stride=stride, end_mask=open_end)


def _split(call: Call) -> Value:
    axis, sizes = call.axis(0), call.numbers(1, "split")
    whole = int(call[0].shape[axis])
    if sizes is None:
        parts = call.outputs
        each = -(-whole // parts)
        sizes = [min(each, whole - each * part) for part in range(parts)]
    return list(mb.split(x=call[0], split_sizes=sizes, axis=axis))


def _gather(call: Call) -> Value:
    axis = call.axis(0)
    indices = call.constant(1)
    size = int(call[0].shape[axis])
    return mb.gather(x=call[0], indices=np.where(indices < 0, indices + size, indices).astype(np.int32), axis=axis)


def _pad(call: Call) -> Value:
    rank, mode = call.rank(), call.get("mode", "constant")
    pads = call.numbers(1, "pads") or []
    axes = call.numbers(3) if call.has(3) else list(range(rank))
    if mode not in _PAD_MODES or axes is None:
        raise call.error(f"pads in the mode '{mode}', which Core ML has not")
    starts, ends = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        starts[axis], ends[axis] = pads[place], pads[place + len(axes)]
    if min(*starts, *ends) < 0:
        raise call.error("crops by negative padding")
    value = float(call.constant(2).reshape(-1)[0]) if call.has(2) else float(call.get("value", 0.0))
    both = [pads for pair in zip(starts, ends, strict=True) for pads in pair]
    return mb.pad(x=call[0], pad=both, mode=_PAD_MODES[mode], constant_val=value)


def _resize(call: Call) -> Value:
    have = fixed(call[0].shape)
    if len(have) != 4 or call.get("antialias", 0) or (call.has(1) and call.constant(1).size):
        raise call.error("resizes otherwise than a picture [N, C, H, W] without anti-aliasing or regions")
    if call.has(3) and call.constant(3).size:
        wanted = call.numbers(3) or []
    else:
        wanted = [int(size * scale) for size, scale in zip(have, call.constant(2).reshape(-1), strict=True)]
    if call.get("axes") or wanted[:2] != list(have[:2]):
        raise call.error("resizes more than height and width")
    where, mode = call.get("coordinate_transformation_mode", "half_pixel"), call.get("mode", "nearest")
    scales = [to / size for to, size in zip(wanted[2:], have[2:], strict=True)]
    if mode == "linear" and where in _BILINEAR:
        aligned, centred = _BILINEAR[where]
        return mb.upsample_bilinear(
            x=call[0],
            scale_factor_height=float(scales[0]),
            scale_factor_width=float(scales[1]),
            align_corners=aligned,
            half_pixel_centers=centred,
        )
    if mode != "nearest" or not _repeats(call, where, scales):
        raise call.error(f"resizes in the mode '{mode}' ('{where}') to {wanted[2]}x{wanted[3]}, which Core ML has not")
    return mb.upsample_nearest_neighbor(
        x=call[0], scale_factor_height=int(scales[0]), scale_factor_width=int(scales[1])
    )


def _repeats(call: Call, where: str, scales: list[float]) -> bool:
    """Whether a nearest-neighbour resize repeats each pixel a whole number of times."""
    whole = all(scale.is_integer() and scale >= 1 for scale in scales)
    rounding = call.get("nearest_mode", "round_prefer_floor")
    floors = where == "asymmetric" and rounding == "floor"
    # With whole scales no centre falls on an edge, but for even ones that round half up to the next pixel.
    centres = where in ("half_pixel", "pytorch_half_pixel") and rounding in ("round_prefer_floor", "round_prefer_ceil")
    return whole and (floors or centres)


def _depth_to_space(call: Call) -> Value:
    block = int(call.get("blocksize"))
    if call.get("mode", "DCR") == "DCR":
        return mb.depth_to_space(x=call[0], block_size=block)
    n, c, h, w = fixed(call[0].shape)
    split = mb.reshape(x=call[0], shape=[n, c // block**2, block, block, h * w])
    # MIL's tensors have five dimensions at most, so height and width travel as one and part again.
    parts = mb.reshape(x=mb.transpose(x=split, perm=[0, 2, 3, 1, 4]), shape=[n, c, h, w])
    return mb.depth_to_space(x=parts, block_size=block)


def _expand(call: Call) -> Value:
    have, asked = fixed(call[0].shape), call.numbers(1) or []
    wanted = np.broadcast_shapes(have, tuple(asked))
    padded = (1,) * (len(wanted) - len(have)) + have
    whole = mb.reshape(x=call[0], shape=list(padded)) if padded != have else call[0]
    return mb.tile(x=whole, reps=[to // size for to, size in zip(wanted, padded, strict=True)])


MOVING: Table = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Pad": _pad,
    "Resize": _resize,
    "Concat": lambda call: mb.concat(values=list(call), axis=call.axis(0)),
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": lambda call: mb.space_to_depth(x=call[0], block_size=int(call.get("blocksize"))),
    "Expand": _expand,
    "Tile": lambda call: mb.tile(x=call[0], reps=call.numbers(1)),
}
