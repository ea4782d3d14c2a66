"""A float model's pre-processing baked in: uint8 frames go in, scaled, normalised and laid out by the graph itself.

`(x / scale - mean) / std` is done as `(x - mean * scale) / (scale * std)`. The factor goes into the first convolution's
weights, where zero padding stays zero. So does the mean where nothing is padded. Else one subtraction is left:

- of one whole number of grey levels: what is left is INT8 as it stands, without rounding;
- of a fraction, or another mean for each channel: INT8 steps are then 1 to 1.1 grey levels wide and off by half a level
  at most, less than the layers behind add. Rounding the means would be exact in INT8 and wrong by as much along the
  padded border in every precision, so they stay as given.
"""

from typing import Literal

import numpy as np
import onnx
import onnx_ir as ir

from edgecnn.core.errors import InputError, StageError, line_of
from edgecnn.export.passes.base import Pass, run_all
from edgecnn.export.passes.editing import add_constant, attribute, fixed_shape, only_reader, opened
from edgecnn.export.passes.fold_affine_before import FoldAffineBefore
from edgecnn.export.passes.fold_normalisation import FoldNormalisation
from edgecnn.export.passes.infer_shapes import infer_shapes
from edgecnn.export.passes.tidy import Tidy

IMAGE = "image"
TO_NCHW = (0, 3, 1, 2)
PASSES: tuple[Pass, ...] = (
    FoldAffineBefore(),
    FoldNormalisation(),
    FoldAffineBefore(),
    Tidy(deduplicate=False),
)

Color = Literal["rgb", "bgr"]


def bake_frames(
    model: onnx.ModelProto,
    *,
    input_name: str,
    scale: float,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    color: Color,
    frame_color: Color | None = None,
) -> onnx.ModelProto:
    """Return a prepared model whose float input is replaced by `image`, uint8 [N, H, W, C], C 1 or 3.

    The input `input_name` is float32 [N, C, H, W], or [N, H, W, C]. It is given `(image / scale - mean) / std`; `mean`
    and `std` hold one number, or one a channel in the order `color` that the model was trained on. Frames come in that
    order too, unless `frame_color` names another: then the channels are reversed, in the first convolution's weights
    where that is the next node. `model` stays as it was; its other inputs and all outputs keep their names.

    Raises:
        InputError: there is no such input, it is no float picture, another input is called `image`, or the numbers are
            not as many as channels, or a scale or deviation is not above 0.
    """
    work = opened(model)
    old = _picture(work, input_name)
    shape = fixed_shape(old) or ()
    first = shape[1] in {1, 3}
    channels = shape[1] if first else shape[3]
    numbers = _numbers(scale, mean, std, channels)
    rows, columns = shape[2:] if first else shape[1:3]
    image = ir.Value(
        name=IMAGE, type=ir.TensorType(ir.DataType.UINT8), shape=ir.Shape([shape[0], rows, columns, channels])
    )
    reverse = frame_color not in {None, color} and channels == 3
    _connect(work, old, image, numbers, first=first, reverse=reverse)
    infer_shapes(work)
    run_all(PASSES, work)
    result = ir.to_proto(work)
    try:
        onnx.checker.check_model(result, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise StageError(f"baking the frames gave an invalid model: {line_of(error)}") from error
    return result


def _picture(model: ir.Model, name: str) -> ir.Value:
    values = {str(value.name): value for value in model.graph.inputs}
    if name not in values:
        raise InputError(f"the model has no input '{name}'; it has {', '.join(values)}")
    if IMAGE in values and name != IMAGE:
        raise InputError(f"the model has another input called '{IMAGE}'; keep the model's own inputs")
    value = values[name]
    shape = fixed_shape(value)
    if shape is None or len(shape) != 4 or value.dtype != ir.DataType.FLOAT or not {shape[1], shape[3]} & {1, 3}:
        raise InputError(
            f"input '{name}' is {value.dtype} {value.shape}, no float32 picture [N, C, H, W] or [N, H, W, C] of 1 or 3 "
            "channels; keep the model's own inputs"
        )
    return value


def _numbers(
    scale: float, mean: tuple[float, ...], std: tuple[float, ...], channels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what to subtract from grey levels, and what to multiply by then, one float64 a channel."""
    if len(mean) not in {1, channels} or len(std) not in {1, channels}:
        raise InputError(f"mean and std need one number or {channels}; got {len(mean)} and {len(std)}")
    if not scale > 0 or not all(value > 0 for value in std):
        raise InputError(f"scale and std must be above 0; got {scale} and {list(std)}")
    spread = np.broadcast_to(np.asarray(std, np.float64), (channels,)) * scale
    return np.broadcast_to(np.asarray(mean, np.float64), (channels,)) * scale, 1 / spread


def _connect(
    model: ir.Model,
    old: ir.Value,
    image: ir.Value,
    numbers: tuple[np.ndarray, np.ndarray],
    *,
    first: bool,
    reverse: bool,
) -> None:
    """Put `image` in the place of the input `old`, and the arithmetic between `image` and all that read `old`."""
    target, transpose = old, None
    if not first:
        reader = only_reader(old)
        if reader is not None and reader.op_type == "Transpose" and attribute(reader, "perm") == TO_NCHW:
            target, transpose, first = reader.outputs[0], reader, True
    steps = _steps(model, image, numbers, first=first, reverse=reverse)
    model.graph.inputs[list(model.graph.inputs).index(old)] = image
    if old.name == IMAGE:
        old.name = f"{IMAGE}.float"
    anchor = model.graph[0]
    anchor.prepend(steps)
    result = steps[-1].outputs[0]
    name = target.name
    outside = target.is_graph_output()
    ir.convenience.replace_all_uses_with(target, result, replace_graph_outputs=True)
    if transpose is not None:
        model.graph.remove(transpose, safe=True)
    if outside:
        result.name, result.shape, result.type = name, target.shape, target.type


def _steps(
    model: ir.Model, image: ir.Value, numbers: tuple[np.ndarray, np.ndarray], *, first: bool, reverse: bool
) -> list[ir.Node]:
    """Return layout, cast, mean, factor and channel order as nodes, those that would change nothing left out."""
    steps: list[ir.Node] = []

    def add(
        op_type: str, constants: dict[str, np.ndarray], attributes: dict[str, int | list[int]] | None = None
    ) -> None:
        source = steps[-1].outputs[0] if steps else image
        fixed = [add_constant(model, f"{IMAGE}.{name}", array) for name, array in constants.items()]
        step = ir.node(op_type, [source, *fixed], attributes or {}, name=f"{IMAGE}.{op_type}")
        step.outputs[0].name = f"{IMAGE}.{op_type}"
        steps.append(step)

    offset, factor = (array[::-1] if reverse else array for array in numbers)
    if first:
        add("Transpose", {}, {"perm": list(TO_NCHW)})
    add("Cast", {}, {"to": int(ir.DataType.FLOAT)})
    if offset.any():
        add("Sub", {"mean": _shaped(offset, first=first)})
    if (factor != 1).any():
        add("Mul", {"factor": _shaped(factor, first=first)})
    if reverse:
        last = np.array([np.iinfo(np.int64).min])
        axis, back = np.array([1 if first else 3]), np.array([-1])
        add("Slice", {"start": back, "end": last, "axis": axis, "step": back})
    return steps


def _shaped(numbers: np.ndarray, *, first: bool) -> np.ndarray:
    """Return one number if all are the same, else one a channel along axis 1 or the last."""
    if (numbers == numbers[0]).all():
        return np.asarray(numbers[0], np.float32)
    return numbers.reshape((1, -1, 1, 1) if first else (1, 1, 1, -1)).astype(np.float32)
