"""The qat stage: a killed run goes on with the targets that are missing."""

import onnx
import pytest
from msgspec.structs import replace

from edgecnn.compress_model import qat_stage
from edgecnn.compress_model.qat_stage import RESULT, QatStage
from edgecnn.core import evidence
from edgecnn.core.compression import QatStep
from edgecnn.core.evidence import QuantizedModel, QuantizeResult
from edgecnn.core.recipe import CompressStep, load_recipe
from edgecnn.core.shared import find
from edgecnn.core.stage import Job


def test_a_target_that_was_trained_is_not_trained_again(tmp_path, monkeypatch):
    common = {"ranges": "mse", "frames": 8, "quantized": (), "left_in_float": {}, "tensors": {}}
    models = tuple(
        QuantizedModel(target=name, file=f"{name}.onnx", scheme="openvino_cpu", **common) for name in ("a", "b")
    )
    for name in ("quantize", "out", "partial"):
        (tmp_path / name).mkdir()
    evidence.write(tmp_path / "quantize" / RESULT, QuantizeResult(models))
    recipe = replace(load_recipe(find("recipes", "lane-quickstart"), {}), compress=(CompressStep(qat=QatStep()),))
    job = Job(recipe, {"quantize": tmp_path / "quantize"}, tmp_path / "out", tmp_path / "partial")
    trained, dying = [], ["b"]

    def train(model, _step, _lessons, _monitor, job):
        trained.append(model.target)
        (job.partial / model.target).mkdir(exist_ok=True)
        if model.target in dying:
            raise KeyboardInterrupt
        return onnx.ModelProto(producer_name=model.target), replace(model, notes=("trained",))

    monkeypatch.setattr(qat_stage, "_trained", train)
    monkeypatch.setattr(qat_stage, "quantized_lessons", lambda _: (None, None))
    with pytest.raises(KeyboardInterrupt):
        QatStage().run(job)
    assert (tmp_path / "partial" / "b").is_dir(), "its checkpoints are what it goes on from"
    dying.clear()
    (tmp_path / "out" / "a.onnx").unlink()  # as the pipeline empties it before a stage is run again
    QatStage().run(job)
    assert trained == ["a", "b", "b"]
    assert [one.notes for one in evidence.read(job.out / RESULT, QuantizeResult).models] == [("trained",)] * 2
    assert [onnx.load(job.out / one.file).producer_name for one in models] == ["a", "b"]
    assert not (tmp_path / "partial" / "a").exists()
    assert not (tmp_path / "partial" / "b").exists()
