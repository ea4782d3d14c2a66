"""One bundle verified here and on an emulated arm64 board with the aarch64 wheels: Raspberry Pi 4's cores and Pi 5's.

`tests/board/make_board.sh FOLDER` makes the board; EDGECNN_BOARD=FOLDER names it. Its Python has what a robot has:
neither torch nor onnx, ONNX Runtime and ncnn as engines.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from contract_networks import frame_network

import edgecnn

pytestmark = [
    pytest.mark.board,
    pytest.mark.skipif(
        "EDGECNN_BOARD" not in os.environ,
        reason="EDGECNN_BOARD names no board; make one with tests/board/make_board.sh",
    ),
]
TARGETS = ("onnxruntime", "onnxruntime_arm", "ncnn")
CORES = ("cortex-a72", "cortex-a76")
"""Without and with dot products of bytes and half precision: engines have other kernels for each."""
FLOAT, SPREAD = 1e-5, 1.5
"""The most that float may err on the board, and INT8 over what it errs here: kernels differ in how they round."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle as `edgecnn quantize` makes it of a stranger's ONNX file: every target in float and INT8."""
    folder = tmp_path_factory.mktemp("made")
    network = frame_network(33, 17)
    (folder / "network.onnx").write_bytes(network.model.SerializeToString())
    np.savez(folder / "frames.npz", frame=np.concatenate([network.feeds(seed)["frame"] for seed in range(24)]))
    targets = [word for name in TARGETS for word in ("--target", name)]
    options = ["--precision", "int8", "--plain", "--min-agreement", "0", "--seconds", "0.5", "--threads", "1"]
    files = [str(folder / "network.onnx"), "--calib", str(folder / "frames.npz"), "--out", str(folder / "bundle")]
    told([sys.executable, "-m", "edgecnn", "quantize", *files, *targets, *options])
    return folder / "bundle"


@pytest.fixture(scope="module")
def board(bundle):
    """The board's folder, with the working tree's package and the bundle in /opt/test."""
    root = Path(os.environ["EDGECNN_BOARD"]).resolve()
    place = root / "opt" / "test"
    shutil.rmtree(place, ignore_errors=True)
    package = Path(edgecnn.__file__).parent
    shutil.copytree(package, place / "edgecnn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(bundle, place / "bundle")
    yield root
    shutil.rmtree(place)


def told(command, **variables):
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def on_board(root, core, *arguments):
    python = ["chroot", str(root), "/usr/bin/python3", *arguments]
    return told(python, QEMU_CPU=core, PYTHONPATH="/opt/test", HOME="/root", PATH="/usr/sbin:/usr/bin:/sbin:/bin")


def rows(text):
    return {row["artefact"]: row for row in json.loads(text)["artefacts"]}


@pytest.fixture(scope="module")
def here(bundle):
    return rows(told([sys.executable, "-m", "edgecnn", "verify", str(bundle), "--json"]))


def test_the_board_is_one(board):
    code = "import platform, importlib.util as u; print(platform.machine(), u.find_spec('torch'), u.find_spec('onnx'))"
    assert on_board(board, CORES[0], "-c", code) == "aarch64 None None\n"


@pytest.mark.parametrize("core", CORES)
def test_every_artefact_keeps_its_gate_on_the_board_and_errs_as_it_does_here(board, here, core):
    there = rows(on_board(board, core, "-m", "edgecnn", "verify", "/opt/test/bundle", "--json"))
    names = {f"{target}-{precision}" for target in TARGETS for precision in ("fp32", "int8")}
    assert set(there) == set(here) == names
    for name, row in there.items():
        most = FLOAT if name.endswith("fp32") else SPREAD * here[name]["rel_error"]
        assert row["passed"], row
        assert row["rel_error"] <= most, row


def test_an_engine_the_board_has_not_is_told_so_in_one_line(board):
    code = """
from edgecnn.core.errors import MissingExtraError
from edgecnn.runtime import load
try:
    load("/opt/test/bundle", artefact="ncnn-int8").close()
    from edgecnn.core.registry import resolve
    resolve("engine", "openvino")
except MissingExtraError as error:
    print(error)
"""
    said = on_board(board, CORES[0], "-c", code)
    assert said.count("\n") == 1
    assert "pip install 'edgecnn[openvino]'" in said
