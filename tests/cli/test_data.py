"""`edgecnn data make|check|convert`: what is printed, drawn and returned."""

import json

import cv2
import numpy as np
import pytest

from edgecnn.cli import main
from edgecnn.data.formats.format import read
from edgecnn.data.road import write as road_write

TUSIMPLE = {"lanes": [[70, 60, 50], [90, 100, 110]], "h_samples": [50, 60, 70], "tags": ["night"]}


@pytest.fixture
def root(tmp_path):
    """A TuSimple set of three frames."""
    folder = tmp_path / "set"
    for number in range(3):
        (folder / f"clips/{number}").mkdir(parents=True)
        cv2.imwrite(str(folder / f"clips/{number}/1.jpg"), np.full((90, 160, 3), 40 * number, np.uint8))
    lines = [json.dumps({**TUSIMPLE, "raw_file": f"clips/{number}/1.jpg"}) for number in range(3)]
    (folder / "label_data.json").write_text("\n".join(lines) + "\n")
    return folder


def run(*arguments):
    return main.run(["data", *(str(argument) for argument in arguments)])


def test_check_names_the_format_and_counts(root, capsys):
    assert run("check", root) == 0
    out = capsys.readouterr().out
    assert f"{root}: tusimple, 3 frames, 0 of them empty" in out
    assert "lane lines  6" in out
    assert "night 3" in out
    assert "nothing wrong" in out


def test_check_lists_what_is_wrong_and_returns_1(root, capsys):
    with (root / "label_data.json").open("a") as file:
        file.write("{\n{\n{\n")
    assert run("check", root, "--list", 1) == 1
    captured = capsys.readouterr()
    assert "WRONG       broken label: 3" in captured.out
    assert f"{root}/label_data.json:4  not JSON" in captured.out
    assert "and 2 more" in captured.out
    assert captured.err.splitlines()[-1] == f"edgecnn: {root}: 3 things are wrong in this data set"


def test_check_prints_one_json_object(root, capsys):
    (root / "clips/1/1.jpg").unlink()
    assert run("check", root, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["frames"], told["lanes"], told["objects"]) == ("tusimple", 2, 4, None)
    assert told["wrong"]["missing picture"]["listed"][0]["where"] == f"{root}/label_data.json:2"


def test_check_draws_what_was_read(root, tmp_path, capsys):
    assert run("check", root, "--draw", tmp_path / "drawn", "--draw-frames", 2) == 0
    assert "2 pictures in" in capsys.readouterr().out
    first, second = sorted((tmp_path / "drawn").iterdir())
    assert first.name == "0000_1.jpg"
    drawn = cv2.imread(str(second)).astype(int)
    assert drawn.shape == (90, 160, 3)
    # The labelled lines are coloured, where the picture was grey.
    assert np.ptp(drawn[60, 40:120], axis=1).max() > 60


def test_check_draws_scenes_with_their_objects(tmp_path, capsys):
    assert run("make", tmp_path / "set", "--frames", 2, "--size", "160x96", "--people", "--workers", 1) == 0
    assert run("check", tmp_path / "set", "--draw", tmp_path / "drawn") == 0
    assert len(list((tmp_path / "drawn").iterdir())) == 2
    assert "objects     " in capsys.readouterr().out


def test_pictures_that_cannot_be_drawn_do_not_stop_the_others(root, tmp_path, capsys):
    (root / "clips/1/1.jpg").write_bytes(b"")
    assert run("check", root, "--draw", tmp_path / "drawn", "--format", "tusimple") == 1
    assert len(list((tmp_path / "drawn").iterdir())) == 2


def test_check_reads_only_the_labels_named(root, capsys):
    (root / "other.json").write_text("{\n")
    assert run("check", root, "--labels", "label_data.json") == 0
    assert run("check", root, "--labels", "none.json") == 2
    assert "check the label file's name" in capsys.readouterr().err


def test_convert_says_what_was_lost_in_one_line(root, tmp_path, capsys):
    assert run("convert", root, tmp_path / "out", "--to", "bdd100k") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"3 frames  tusimple to bdd100k  {tmp_path / 'out'}",
        "nothing lost",
    ]
    assert run("convert", root, tmp_path / "llamas", "--to", "llamas", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["frames"] == 3
    assert "tags (night)" in told["lost"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "none"), "no such folder"),
        (("check", ".", "--format", "culan"), "did you mean 'culane'"),
        (("check", "."), "no format recognises it"),
        (("convert", "none", "out", "--to", "culane"), "no such folder"),
        (("convert", ".", "out", "--to", "cocoo"), "did you mean 'coco'"),
        (("make", "out", "--format", "kity"), "did you mean 'kitti'"),
        (("make", "out", "--format", "kitti"), "--people"),
        (("make", "out", "--size", "640"), "write WIDTHxHEIGHT"),
    ],
)
def test_bad_input_is_one_line_and_code_2(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("form", "people"), [("tusimple", False), ("culane", False), ("bdd100k", True), ("kitti", True)]
)
def test_make_writes_any_format_and_leaves_nothing_beside_it(tmp_path, form, people, capsys):
    options = ["--people"] if people else []
    assert (
        run("make", tmp_path / "set", "--frames", 2, "--size", "160x96", "--workers", 1, "--format", form, *options)
        == 0
    )
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert len(list(read(form, tmp_path / "set"))) == 2
    assert run("check", tmp_path / "set") == 0


def test_make_without_a_format_writes_tusimple_or_with_people_scenes(tmp_path, capsys):
    size = ("--frames", 1, "--size", "160x96", "--workers", 1)
    assert run("make", tmp_path / "a", *size) == run("make", tmp_path / "b", *size, "--people") == 0
    assert (tmp_path / "a/label_data.json").exists()
    assert (tmp_path / "b/labels.jsonl").exists()


@pytest.mark.parametrize("form", ["scenes", "tusimple"])
def test_an_interrupted_make_leaves_nothing(tmp_path, monkeypatch, capsys, form):
    def stop(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(road_write, "_store", stop)
    assert run("make", tmp_path / "set", "--frames", 1, "--size", "160x96", "--workers", 1, "--format", form) == 130
    assert not list(tmp_path.iterdir())


def test_make_refuses_a_folder_that_holds_something(root, capsys):
    assert run("make", root, "--frames", 1) == 2
    assert "not an empty folder" in capsys.readouterr().err
