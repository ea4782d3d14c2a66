"""`edgecnn eval` and `edgecnn verify --gate` on a bundle: figures, report, exit codes."""

import json
import subprocess
import sys

import pytest

from edgecnn.cli import main
from edgecnn.data.formats.tusimple import FORMAT
from edgecnn.data.road import RoadScenes
from edgecnn.data.road.write import write_tusimple


@pytest.fixture(scope="module")
def roads(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roads") / "set"
    write_tusimple(folder, RoadScenes(7, 320, 180), 6, workers=1)
    assert FORMAT.recognise(folder)
    return folder


def test_a_bundle_is_judged_by_every_lane_metric(lane_bundle, roads, tmp_path, capsys):
    out = tmp_path / "out"
    assert main.run(["eval", str(lane_bundle), "--data", str(roads), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["figures"]) == ["tusimple", "culane", "bdd_boundary", "bdd_mask"]
    assert told["frames"] == 6
    assert {path.name for path in out.iterdir()} == {"eval.html", "eval.md", "eval.json", "gallery"}


def test_a_missed_gate_is_exit_code_1_and_a_wrong_one_2(lane_bundle, roads, capsys):
    ask = ["eval", str(lane_bundle), "--data", str(roads), "--metric", "tusimple"]
    assert main.run([*ask, "--gate", "accuracy >= 0"]) == 0
    assert "pass  " in capsys.readouterr().out
    assert main.run([*ask, "--gate", "accuracy > 1"]) == 1
    assert "accuracy" in capsys.readouterr().err
    assert main.run([*ask, "--gate", "acuracy > 1"]) == 2
    assert "did you mean 'accuracy'" in capsys.readouterr().err
    assert main.run([*ask, "--artefact", "nothing"]) == 2


def test_verify_reads_gates_before_it_runs(lane_bundle, roads, capsys):
    assert main.run(["verify", str(lane_bundle), "--gate", "accuracy >= 0"]) == 2
    assert "give them with --data" in capsys.readouterr().err
    assert main.run(["verify", str(lane_bundle), "--data", str(roads), "--gate", "acuracy[night] >= 0"]) == 2
    assert "did you mean 'accuracy'" in capsys.readouterr().err


def test_it_runs_where_neither_torch_nor_onnx_can_be_imported(lane_bundle, roads):
    code = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'onnx_ir', 'onnxscript', 'pycocotools', 'scipy', 'ijson'):\n"
        "    sys.modules[name] = None\n"
        "from edgecnn.cli.main import run\n"
        f"sys.exit(run(['eval', {str(lane_bundle)!r}, '--data', {str(roads)!r}, '--metric', 'culane']))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "false_lines" in done.stdout
