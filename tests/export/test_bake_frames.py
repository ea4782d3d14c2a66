"""Frames baked into a float model: the same numbers as normalising in NumPy, with as few nodes as can be."""

import numpy as np
import onnx
import pytest
from onnx import helper
from small_graphs import answers, conv_weights, model_of, node, operators

from edgecnn.core.errors import InputError
from edgecnn.export.bake_frames import bake_frames
from edgecnn.export.prepare import prepare

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def frames(channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (1, 8, 10, channels), np.uint8)


def network(*, pad=1, last=False, channels=3, own=False):
    """x NCHW or NHWC (`last`) through (`own` normalisation and) a convolution."""
    nodes = [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])] if last else []
    constants = {"w": conv_weights(inputs=channels)}
    if own:
        nodes += [node("Sub", [nodes[-1].output[0] if nodes else "x", "m"], ["s"]), node("Div", ["s", "d"], ["v"])]
        constants |= {name: np.arange(1, 4, dtype=np.float32).reshape(1, 3, 1, 1) for name in "md"}
    nodes += [
        node("Conv", [nodes[-1].output[0] if nodes else "x", "w"], ["a"], pads=[pad] * 4),
        node("Relu", ["a"], ["y"]),
    ]
    return prepare(model_of(nodes, constants, shape=(1, 8, 10, channels) if last else (1, channels, 8, 10))).model


def expected(model, image, scale, mean, std, *, last=False):
    values = (image.astype(np.float64) / scale - np.array(mean)) / np.array(std)
    values = values if last else values.transpose(0, 3, 1, 2)
    return answers(model, {"x": values.astype(np.float32)})[0]


@pytest.mark.parametrize("pad", [0, 1])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("scale", "mean", "std"), [(255, (0,), (1,)), (255, *IMAGENET), (127.5, (1,), (1,)), (1, (128,), (64, 65, 66))]
)
@pytest.mark.parametrize("frame_color", [None, "bgr", "rgb"])
def test_baked_frames_give_what_normalised_arrays_give(pad, last, scale, mean, std, frame_color):
    model = network(pad=pad, last=last)
    before = model.SerializeToString()
    baked = bake_frames(model, input_name="x", scale=scale, mean=mean, std=std, color="rgb", frame_color=frame_color)
    assert model.SerializeToString() == before
    onnx.checker.check_model(baked, full_check=True)
    (entry,) = baked.graph.input
    assert (entry.name, entry.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    assert [size.dim_value for size in entry.type.tensor_type.shape.dim] == [1, 8, 10, 3]
    image = frames()
    right = expected(model, image[..., ::-1] if frame_color == "bgr" else image, scale, mean, std, last=last)
    found = answers(baked, {"image": image}, optimize=True)[0]
    assert np.linalg.norm(found - right) < 1e-5 * np.linalg.norm(right)
    centred = any(mean) and pad
    assert operators(baked) == ["Transpose", "Cast", *(["Sub"] if centred else []), "Conv", "Relu"]


@pytest.mark.parametrize("pad", [0, 1])
def test_the_models_own_normalisation_goes_into_the_same_subtraction(pad):
    model = network(pad=pad, own=True)
    baked = bake_frames(model, input_name="x", scale=255, mean=(0.5,), std=(0.25,), color="rgb")
    assert operators(baked) == ["Transpose", "Cast", *(["Sub"] if pad else []), "Conv", "Relu"]
    image = frames()
    right = expected(model, image, 255, (0.5,), (0.25,))
    assert np.allclose(answers(baked, {"image": image})[0], right, rtol=1e-4, atol=1e-4)


def test_grey_pictures():
    model = network(channels=1)
    baked = bake_frames(model, input_name="x", scale=255, mean=(0.5,), std=(0.5,), color="rgb", frame_color="bgr")
    image = frames(1)
    right = expected(model, image, 255, (0.5,), (0.5,))
    assert np.allclose(answers(baked, {"image": image})[0], right, rtol=1e-4, atol=1e-5)


def test_pictures_whose_last_axis_holds_the_channels_all_through():
    nodes = [node("Mul", ["x", "m"], ["a"]), node("Transpose", ["a"], ["t"], perm=[0, 3, 1, 2])]
    nodes += [node("Conv", ["t", "w"], ["b"]), node("Add", ["b", "r"], ["y"]), node("ReduceMax", ["x"], ["r"])]
    nodes = [*nodes[:3], nodes[4], nodes[3]]
    constants = {"m": np.arange(1, 4, dtype=np.float32), "w": conv_weights()}
    model = prepare(model_of(nodes, constants, shape=(1, 8, 10, 3))).model
    baked = bake_frames(
        model, input_name="x", scale=255, mean=IMAGENET[0], std=IMAGENET[1], color="bgr", frame_color="rgb"
    )
    image = frames()
    right = expected(model, image[..., ::-1], 255, *IMAGENET, last=True)
    assert np.allclose(answers(baked, {"image": image})[0], right, rtol=1e-4, atol=1e-4)


def test_an_input_called_image_and_a_second_input():
    inputs = [helper.make_tensor_value_info("image", 1, [1, 3, 8, 10]), helper.make_tensor_value_info("z", 1, [1])]
    nodes = [node("Conv", ["image", "w"], ["a"]), node("Mul", ["a", "z"], ["y"])]
    model = prepare(model_of(nodes, {"w": conv_weights()}, inputs=inputs)).model
    baked = bake_frames(model, input_name="image", scale=255, mean=(0.0,), std=(1.0,), color="rgb")
    assert [value.name for value in baked.graph.input] == ["image", "z"]
    with pytest.raises(InputError, match="another input called 'image'"):
        bake_frames(model, input_name="z", scale=255, mean=(0.0,), std=(1.0,), color="rgb")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input_name": "q"}, "no input 'q'"),
        ({"mean": (1.0, 2.0)}, "one number or 3"),
        ({"std": (1.0, 0.0, 1.0)}, "above 0"),
        ({"scale": 0}, "above 0"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(change, words):
    usual = {"input_name": "x", "scale": 255, "mean": (0.0,), "std": (1.0,), "color": "rgb"}
    with pytest.raises(InputError, match=words):
        bake_frames(network(), **{**usual, **change})
    flat = prepare(model_of([node("MatMul", ["x", "k"], ["y"])], {"k": np.eye(4, dtype=np.float32)}, shape=(1, 4)))
    with pytest.raises(InputError, match="no float32 picture"):
        bake_frames(flat.model, **usual)
