"""Resize: the nearest pixel or the line between two, with ONNX's ways to place them."""

import math

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgecnn.compile.litert.fusion import quant_behind
from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.source import call, shape_of
from edgecnn.compile.litert.writer import Tensor
from edgecnn.core.errors import EngineError

Places = NDArray[np.float64]


def resize(low: Lowering, node: ir.Node) -> None:
    """RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR; nearest pixels that it would pick otherwise are gathered."""
    value = node.outputs[0]
    mode = node.attributes.get_string("mode", "nearest")
    if mode not in {"nearest", "linear"} or node.attributes.get_int("antialias", 0) == 1:
        raise EngineError(f"litert: {call(node)} resizes by '{mode}'; it takes nearest and linear without antialias")
    if node.attributes.get_string("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        raise EngineError(f"litert: {call(node)} crops as it resizes; write a Slice in front")
    source = node.inputs[0]
    assert source is not None  # noqa: S101 - Resize has an input
    before, after = shape_of(source), shape_of(value)
    if before == after:
        low.bind(value, low.get(source))
        return
    if before[:2] != after[:2] or len(before) not in {3, 4}:
        raise EngineError(f"litert: {call(node)} resizes {list(before)} to {list(after)}; it takes height and width")
    quant = quant_behind(low, value) if low.is_rounded(source) else None
    keeps = mode == "nearest" or quant is not None
    given = (low.rounded(source) if low.is_rounded(source) else low.get(source)) if keeps else low.floating(source)
    picture = low.picture(given, node)
    made = _nearest(low, node, picture) if mode == "nearest" else _linear(low, node, picture)
    result = low.from_picture(value, made)
    low.bind(value, result)
    if quant is not None:
        # The specification has one scale for what goes in and comes out: to round once more would gain nothing.
        low.settled.add(result.tensor)


def _nearest(low: Lowering, node: ir.Node, picture: Tensor) -> Tensor:
    sizes, wanted = picture.shape[1:3], _picture(node)
    places = [_nearest_places(node, *one) for one in _axes(low, node, picture)]
    for corners, half in ((False, False), (False, True), (True, False)):
        own = [_own_nearest(size, made, corners, half) for size, made in zip(sizes, wanted[1:3], strict=True)]
        if all((one == two).all() for one, two in zip(own, places, strict=True)):
            options = schema.ResizeNearestNeighborOptionsT()
            options.alignCorners, options.halfPixelCenters = corners, half
            return _resized(low, node, picture, "RESIZE_NEAREST_NEIGHBOR", options)
    for axis, listed in enumerate(places, 1):
        shape = [len(listed) if index == axis else size for index, size in enumerate(picture.shape)]
        made = low.writer.tensor(f"{node.outputs[0].name}.axis{axis}", shape, picture.dtype, picture.quant)
        options = schema.GatherOptionsT()
        options.axis = axis
        low.operator("GATHER", [picture, low.integers(listed.tolist())], [made], options)
        picture = made
    return picture


def _linear(low: Lowering, node: ir.Node, picture: Tensor) -> Tensor:
    mode = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    options = schema.ResizeBilinearOptionsT()
    options.alignCorners = mode == "align_corners"
    options.halfPixelCenters = mode in {"half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"}
    for size, made, scale in _axes(low, node, picture):
        exact = math.isclose(scale, made / size, rel_tol=1e-6) or options.alignCorners
        if not exact or (mode == "pytorch_half_pixel" and made == 1 and size > 1):
            raise EngineError(
                f"litert: {call(node)} scales {size} by {scale:g} to {made}; it takes {made} / {size} alone: "
                "export with sizes instead of scales"
            )
    return _resized(low, node, picture, "RESIZE_BILINEAR", options)


def _resized(low: Lowering, node: ir.Node, picture: Tensor, kind: str, options: object) -> Tensor:
    shape = _picture(node)
    made = low.writer.tensor(str(node.outputs[0].name), shape, picture.dtype, picture.quant)
    low.operator(kind, [picture, low.integers(shape[1:3])], [made], options)
    return made


def _picture(node: ir.Node) -> tuple[int, int, int, int]:
    shape = shape_of(node.outputs[0])
    return shape[0], (1, *shape[2:])[-2], shape[-1], shape[1]


def _axes(low: Lowering, node: ir.Node, picture: Tensor) -> list[tuple[int, int, float]]:
    """Return length, length after and scale of height and width."""
    sizes, made = picture.shape[1:3], _picture(node)[1:3]
    told = low.source.constant(node, 2) if len(node.inputs) > 2 else low.source.constant(node, 1)
    scales = [two / one for one, two in zip(sizes, made, strict=True)]
    if told is not None and told.size and told.dtype == np.float32:
        given = told.reshape(-1)
        scales = [float(number) for number in (1.0, *given[-(len(shape_of(node.outputs[0])) - 2) :])][-2:]
        scales = scales if len(shape_of(node.outputs[0])) == 4 else [1.0, scales[-1]]
    return list(zip(sizes, made, scales, strict=True))


def _nearest_places(node: ir.Node, size: int, made: int, scale: float) -> NDArray[np.int64]:
    """Return the pixel that ONNX picks at each place."""
    here = np.arange(made, dtype=np.float64)
    mode = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    if mode == "asymmetric" or node.op_type == "Upsample":
        spot = here / scale
    elif mode == "align_corners":
        spot = here * (size - 1) / max(made - 1, 1)
    elif mode == "tf_half_pixel_for_nn":
        spot = (here + 0.5) / scale
    elif mode == "pytorch_half_pixel" and made == 1:
        spot = np.zeros(1)
    else:
        spot = (here + 0.5) / scale - 0.5
    rounding = node.attributes.get_string("nearest_mode", "round_prefer_floor")
    if node.op_type == "Upsample" or rounding == "floor":
        found = np.floor(spot)
    elif rounding == "ceil":
        found = np.ceil(spot)
    else:
        found = np.ceil(spot - 0.5) if rounding == "round_prefer_floor" else np.floor(spot + 0.5)
    return np.clip(found, 0, size - 1).astype(np.int64)


def _own_nearest(size: int, made: int, corners: bool, half: bool) -> NDArray[np.int64]:  # noqa: FBT001
    """Return the pixel that RESIZE_NEAREST_NEIGHBOR picks, in float32 as it computes."""
    scale = np.float32(size - 1) / np.float32(made - 1) if corners and made > 1 else np.float32(size) / np.float32(made)
    spot = (np.arange(made, dtype=np.float32) + np.float32(0.5 if half else 0)) * scale
    found = np.floor(spot + np.float32(0.5)) if corners else np.floor(spot)
    return np.asarray(np.clip(found, 0, size - 1), np.int64)
