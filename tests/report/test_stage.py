import json

import msgspec
import pytest

from edgecnn.cli.main import run
from edgecnn.core.errors import StageError
from edgecnn.core.recipe import Recipe
from edgecnn.core.stage import Job, Stage
from edgecnn.core.store import code_digest
from edgecnn.report.stage import ReportStage
from edgecnn.report.write import FORMS

ROAD = {"road": {"frames": 10, "seed": 1}}


@pytest.fixture
def recipe():
    tree = {
        "name": "lanes-small",
        "task": "lanes",
        "data": {"train": ROAD, "val": ROAD},
        "model": {"name": "lane_rows", "frame": {"width": 512, "height": 288}},
        "train": {"epochs": 1},
        "targets": ["openvino"],
    }
    return msgspec.convert(tree, Recipe)


def test_the_stage_leaves_every_form(tmp_path, folders, recipe):
    stage: Stage = ReportStage()
    inputs = {**folders, "qat": folders["quantize"]}
    job = Job(recipe, inputs, tmp_path / "out", tmp_path / "partial")
    job.out.mkdir()
    stage.run(job)
    stage.ensures(job.out)
    assert {path.name for path in job.out.iterdir()} == set(FORMS)
    assert set(stage.needs) <= set(inputs)


def test_templates_and_code_decide_the_key(recipe):
    stage = ReportStage()
    assert set(stage.parameters(recipe)["templates"]) == {"page.html.jinja", "style.css"}
    json.dumps(stage.parameters(recipe))
    assert code_digest(stage.code)


@pytest.mark.parametrize("broken", ["missing", "cut"])
def test_ensures_can_fail(tmp_path, broken):
    for name in FORMS:
        (tmp_path / name).write_text("<html></html>")
    if broken == "missing":
        (tmp_path / "report.md").unlink()
    else:
        (tmp_path / "report.html").write_text("<html>")
    with pytest.raises(StageError, match=r"not written|cut off"):
        ReportStage().ensures(tmp_path)


def test_the_command_writes_beside_a_bundle(tmp_path, folders, capsys):
    assert run(["report", str(folders["seal"] / "bundle"), "--out", str(tmp_path / "here"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["passed"] is True
    assert printed["files"]["html"] == str(tmp_path / "here" / "report.html")
    assert (tmp_path / "here" / "report.html").stat().st_size > 10_000


def test_the_command_reads_a_work_directory_and_its_exit_code_says_what_the_gates_said(
    tmp_path, failed_folders, capsys
):
    stages = {name: str(path) for name, path in failed_folders.items()}
    (tmp_path / "run.json").write_text(json.dumps({"stages": stages}))
    assert run(["report", str(tmp_path)]) == 1
    streams = capsys.readouterr()
    assert streams.out.startswith("FAIL  1 of 8 gates missed")
    assert len(streams.err.strip().splitlines()) == 1
    assert (tmp_path / "report" / "report.md").read_text().startswith("# FAIL")


def test_the_command_refuses_what_is_no_run_and_no_bundle(tmp_path, capsys):
    assert run(["report", str(tmp_path / "nothing")]) == 2
    assert run(["report", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2
