"""Quantization-aware training at work: labels and the float network teach the graph that is shipped."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress_model.qat import Lessons, moved, train_quantized
from edgecnn.core.compression import QatStep
from edgecnn.core.errors import InputError
from edgecnn.core.evidence import QuantizedTensor
from edgecnn.core.recipe import TrainSection
from edgecnn.core.registry import resolve
from edgecnn.export.prepare import prepare

SIZE = 12


class Blobs:
    """Frames of coloured noise; the target is the blurred difference of two colours."""

    epoch = 0

    def __len__(self):
        return 24

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        frame = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        return torch.from_numpy(frame), {
            "y": torch.from_numpy((frame[..., 0].astype(np.float32) - frame[..., 1]) / 255)
        }


def network(head="Relu"):
    rng = np.random.default_rng(0)
    # One channel far wider than the others makes 8 bits a tensor coarse.
    first = rng.normal(0, 0.02, (6, 3, 3, 3)) * np.array([1, 1, 1, 1, 1, 40]).reshape(-1, 1, 1, 1)
    constants = {"w1": first, "b1": np.zeros(6), "w2": rng.normal(0, 0.3, (1, 6, 3, 3)), "b2": np.zeros(1)}
    nodes = [
        helper.make_node("Transpose", ["image"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["t"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["c", "w1", "b1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node(head, ["a"], ["r"]),
        helper.make_node("Conv", ["r", "w2", "b2"], ["y"], pads=[1, 1, 1, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, SIZE, SIZE])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return prepare(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)).model


def loss(answers, targets):
    return {"square": (answers["y"][:, 0] - targets["y"]).square().mean()}


def monitor(module):
    items = [Blobs()[index] for index in range(100, 116)]
    with torch.no_grad():
        answers = module(torch.stack([frame for frame, _ in items]))
        return -float(loss({"y": answers[0]}, {"y": torch.stack([target["y"] for _, target in items])})["square"])


def lessons():
    base = TrainSection(epochs=1, batch_size=8, workers=0, threads=1, ema_decay=0.5)
    return Lessons(Blobs(), monitor, base, seed=1, loss=loss, logits={})


@pytest.fixture(scope="module")
def placed():
    model, scheme = network(), resolve("scheme", "tensorrt_8")
    frames = [{"image": Blobs()[index][0].numpy()[None]} for index in range(8)]
    return model, quantize(model, scheme, frames, Settings(threads=1, correct=False))[0], scheme


def test_training_improves_the_figure_and_keeps_the_scheme(placed, tmp_path):
    model, quantized, scheme = placed
    found = train_quantized(quantized, model, scheme, lessons(), QatStep(epochs=6, learning_rate=2e-3), tmp_path / "w")
    assert found.best_epoch > 0
    assert found.figure > found.start
    assert len(found.curve) == 6
    assert found.model.SerializeToString() != quantized.SerializeToString()
    assert violations(found.model, scheme) == violations(quantized, scheme)
    onnx.checker.check_model(found.model, full_check=True)
    assert set(found.scales)


def test_what_is_no_better_is_not_kept(placed, tmp_path):
    model, quantized, scheme = placed
    found = train_quantized(quantized, model, scheme, lessons(), QatStep(epochs=1, learning_rate=1e-9), tmp_path / "w")
    if not found.best_epoch:
        assert found.model is quantized
        assert found.figure == found.start


def test_an_operator_without_a_gradient_is_one_line(placed, tmp_path):
    model, quantized, scheme = placed
    strange = onnx.ModelProto()
    strange.CopyFrom(quantized)
    next(node for node in strange.graph.node if node.op_type == "Relu").op_type = "Celu"
    with pytest.raises(InputError, match="training can't run Celu"):
        train_quantized(strange, model, scheme, lessons(), QatStep(), tmp_path / "w")


def test_the_record_follows_the_scales():
    tensors = {"a": QuantizedTensor(-1.0, 1.0, 0.5, 0, -2.0, 2.0, "mse"), "b": QuantizedTensor(0, 1, 0.1, 0, 0, 1)}
    found = moved(tensors, {"a": 0.25, "other": 3.0})
    assert (found["a"].low, found["a"].high, found["a"].scale, found["a"].method) == (-0.5, 0.5, 0.25, "learned")
    assert found["b"] is tensors["b"]
