"""What a user gets wrong: one clear line on stderr, exit code 2, no traceback."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.cli import main
from edgecnn.core.errors import TensorError
from edgecnn.runtime import load

TINY = Path(__file__).parents[1] / "tiny.yaml"


def refused(capsys, *arguments):
    """Run a command that must be refused and return its one line."""
    assert main.run([str(a) for a in arguments]) == 2
    told = capsys.readouterr()
    lines = told.err.strip().splitlines()
    assert len(lines) == 1, told.err
    assert lines[0].startswith("edgecnn: ")
    return lines[0]


def test_a_wrong_recipe_key(capsys, tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(TINY.read_text().replace("batch_size: 8", "batch_sise: 8"))
    line = refused(capsys, "run", path)
    number = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if "batch_sise" in text)
    assert f"r.yaml:{number}:" in line
    assert "did you mean 'batch_size'" in line


def test_a_missing_data_folder(capsys, tmp_path):
    line = refused(capsys, "run", "lane-tusimple", "--workdir", tmp_path, "--set", f"data.train.root={tmp_path}/none")
    assert "none: no such data folder" in line


def test_a_missing_recipe_and_an_unknown_stage(capsys, tmp_path):
    assert "did you mean 'lane-quickstart'" in refused(capsys, "run", "lane-quikstart")
    assert "did you mean 'train'" in refused(capsys, "run", TINY, "--workdir", tmp_path, "--until", "trian")


def test_a_truncated_image(capsys, tmp_path, lane_bundle):
    _, data = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8))
    path = tmp_path / "cut.jpg"
    path.write_bytes(data.tobytes()[: len(data) // 2])
    assert "cut.jpg" in refused(capsys, "infer", lane_bundle, path, "--out", tmp_path / "out")
    assert not (tmp_path / "out" / "results.jsonl").exists()


def test_a_video_of_zero_frames(capsys, tmp_path, lane_bundle):
    path = tmp_path / "none.mp4"
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (160, 90)).release()
    path.touch()
    assert "none.mp4" in refused(capsys, "infer", lane_bundle, path, "--out", tmp_path / "out")


@pytest.mark.parametrize("name", ["manifest.json", "artefacts/onnxruntime-fp32/model.onnx"])
def test_a_tampered_byte(capsys, tmp_path, lane_bundle, name):
    bundle = tmp_path / "bundle"
    shutil.copytree(lane_bundle, bundle)
    path = bundle / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    refused(capsys, "infer", bundle, tmp_path, "--out", tmp_path / "out")
    assert "sealed" in refused(capsys, "bundle", "verify", bundle)


def test_a_bundle_path_with_dots(capsys, tmp_path, lane_bundle):
    assert "'..'" in refused(capsys, "bundle", "inspect", lane_bundle / ".." / lane_bundle.name)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, 16, 32, 3), np.float32),
        np.zeros((1, 32, 16, 3), np.uint8),
        np.zeros((16, 32, 3), np.uint8),
    ],
    ids=["dtype", "shape", "rank"],
)
def test_a_model_input_of_the_wrong_shape_or_dtype(lane_bundle, array):
    with load(lane_bundle) as model:
        with pytest.raises(TensorError, match=r"'image' must be uint8 of shape \[1, 16, 32, 3\]") as caught:
            model.infer({"image": array})
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2
        assert set(model.infer({"image": np.zeros((1, 16, 32, 3), np.uint8)})) == {"loc", "exist"}


def test_no_traceback_reaches_the_terminal(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "edgecnn", "bundle", "inspect", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
