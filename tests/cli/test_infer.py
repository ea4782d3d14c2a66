import json

import cv2
import numpy as np
import pytest

from edgecnn.cli.main import run
from edgecnn.data.frames import Camera


def picture(seed, height=90, width=160):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "pictures"
    place.mkdir()
    for number in range(3):
        cv2.imwrite(str(place / f"{number}.png"), picture(number, 90 + 10 * number))
    return place


@pytest.fixture
def video(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "drive.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 20.0, (160, 90))
    for number in range(7):
        writer.write(picture(number, 90, 160))
    writer.release()
    return tmp_path / "drive.mp4"


def rows(out):
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def infer(*arguments):
    return run(["infer", *(str(argument) for argument in arguments), "--threads", "1"])


def test_a_folder_gives_a_line_and_a_picture_each(lane_bundle, folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert infer(lane_bundle, folder, "--out", out) == 0
    found = rows(out)
    assert [(row["frame"], row["index"]) for row in found] == [("0.png", 0), ("1.png", 1), ("2.png", 2)]
    assert all(set(row["ms"]) == {"pre", "engine", "post"} for row in found)
    assert [row["result"]["height"] for row in found] == [90, 100, 110]
    assert any(row["result"]["lines"] for row in found)
    for number in range(3):
        drawn = cv2.imread(str(out / f"{number}.png.jpg"))
        assert drawn.shape == (90 + 10 * number, 160, 3)
    assert sorted(file.name for file in out.iterdir()) == ["0.png.jpg", "1.png.jpg", "2.png.jpg", "results.jsonl"]
    assert "3 frames with openvino-fp32" in capsys.readouterr().out


def test_json_is_one_object_and_the_only_thing_on_stdout(lane_bundle, folder, tmp_path, capsys):
    assert infer(lane_bundle, folder / "1.png", "--out", tmp_path / "out", "--json", "--engine", "onnxruntime") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["frames"], summary["artefact"], summary["engine"]) == (1, "onnxruntime-fp32", "onnxruntime")
    assert summary["files"] == ["results.jsonl", "1.png.jpg"]
    assert all(value > 0 for value in summary["median_ms"].values())


def test_a_video_becomes_a_video(lane_bundle, video, tmp_path):
    out = tmp_path / "out"
    assert infer(lane_bundle, video, "--out", out) == 0
    assert [row["frame"] for row in rows(out)] == [f"drive.mp4#{number:06d}" for number in range(7)]
    capture = cv2.VideoCapture(str(out / "overlay.mp4"))
    assert (capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)) == (20.0, 7)
    assert capture.read()[1].shape == (90, 160, 3)
    assert sorted(file.name for file in out.iterdir()) == ["overlay.mp4", "results.jsonl"]


def test_frames_and_no_overlay(lane_bundle, video, tmp_path):
    out = tmp_path / "out"
    assert infer(lane_bundle, video, "--out", out, "--frames", 2, "--no-overlay") == 0
    assert len(rows(out)) == 2
    assert [file.name for file in out.iterdir()] == ["results.jsonl"]


class Device:
    """Stands in for a cv2 capture of six frames."""

    def __init__(self, *_):
        self.left = 7

    def isOpened(self):  # noqa: N802
        return True

    def get(self, _):
        return 10.0

    def read(self):
        self.left -= 1
        return (True, picture(self.left)) if self.left > 0 else (False, None)

    def release(self):
        pass


def test_a_camera_keeps_what_it_gave_when_it_fails(lane_bundle, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    monkeypatch.setattr("edgecnn.data.frames.cv2.VideoCapture", Device)
    assert infer(lane_bundle, "camera:0", "--out", out) == 2
    assert "gives no more frames" in capsys.readouterr().err
    found = rows(out)
    assert found[-1]["index"] == 5
    assert all(row["age_ms"] >= row["ms"]["engine"] for row in found)
    assert (out / "overlay.mp4").exists()


def test_a_camera_with_a_limit_reports_what_it_dropped(lane_bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("edgecnn.data.frames.cv2.VideoCapture", Device)
    assert infer(lane_bundle, "camera:0", "--out", tmp_path / "out", "--frames", 1, "--json") == 0
    camera = json.loads(capsys.readouterr().out)["camera"]
    assert camera["processed"] == 1
    assert camera["produced"] == camera["processed"] + camera["dropped"]


def test_ctrl_c_ends_a_camera_and_keeps_what_it_gave(lane_bundle, tmp_path, monkeypatch):
    def interrupted(self):
        yield "camera:0#000000", picture(0)
        raise KeyboardInterrupt

    monkeypatch.setattr("edgecnn.data.frames.cv2.VideoCapture", Device)
    monkeypatch.setattr(Camera, "__iter__", interrupted)
    assert infer(lane_bundle, "camera:0", "--out", tmp_path / "out") == 0
    assert len(rows(tmp_path / "out")) == 1


def bad_runs(tmp_path, bundle, folder, video):
    jpeg = cv2.imencode(".jpg", picture(0))[1].tobytes()
    (tmp_path / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (tmp_path / "none.mp4").write_bytes(video.read_bytes()[:200])
    (folder / "9.jpg").write_bytes(jpeg[:100])
    (tmp_path / "file").write_text("in the way")
    up = bundle / ".." / bundle.name
    yield "cut off", (bundle, tmp_path / "cut.jpg")
    yield "9.jpg", (bundle, folder)
    yield "no frame can be read", (bundle, tmp_path / "none.mp4")
    yield "no such file or folder", (bundle, tmp_path / "missing.png")
    yield "must not contain '..'", (up, video)
    yield "no bundle here", (tmp_path / "nothing", video)
    yield "did you mean 'openvino'", (bundle, video, "--engine", "openvin")
    yield "no artefact 'x'", (bundle, video, "--artefact", "x")
    yield "can't be written there", (bundle, video, "--out", tmp_path / "file")


def test_bad_input_is_one_line_and_exit_code_2(lane_bundle, folder, video, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, arguments in bad_runs(tmp_path, lane_bundle, folder, video):
        assert infer(*arguments) == 2, words
        captured = capsys.readouterr()
        assert captured.out == ""
        assert words in captured.err
        assert len(captured.err.splitlines()) == 1
        assert not (tmp_path / "infer" / "results.jsonl").exists()
        assert not [file for file in tmp_path.rglob(".*") if file.is_file()]
