import subprocess
import sys

import cv2
import numpy as np
import pytest

from edgecnn.core.errors import DataError
from edgecnn.data.frames import Camera, open_source


def picture(value, height=12, width=16):
    return np.full((height, width, 3), value, np.uint8)


def write_video(path, frames, fourcc="mp4v", fps=25.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), fps, (64, 48))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8))
    writer.release()
    return path


def test_one_picture(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture(7))
    source = open_source(str(tmp_path / "a.png"))
    assert (source.kind, source.count, source.fps) == ("pictures", 1, None)
    [(name, frame)] = source
    assert name == "a.png"
    assert (frame == 7).all()


def test_a_picture_is_known_by_its_content_too(tmp_path):
    (tmp_path / "snapshot").write_bytes(cv2.imencode(".png", picture(9))[1].tobytes())
    assert open_source(str(tmp_path / "snapshot")).kind == "pictures"


def test_a_folder_is_sorted_and_other_files_are_skipped(tmp_path):
    for number, name in enumerate(["b.png", "a.PNG", "c.bmp"]):
        cv2.imwrite(str(tmp_path / name), picture(number))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "d.png").mkdir()
    source = open_source(str(tmp_path))
    assert source.count == 3
    assert [(name, int(frame[0, 0, 0])) for name, frame in source] == [("a.PNG", 1), ("b.png", 0), ("c.bmp", 2)]
    assert len(list(source)) == 3


def test_a_video_gives_every_frame_each_time(tmp_path):
    source = open_source(str(write_video(tmp_path / "v.mp4", 9)))
    assert (source.kind, source.count, source.fps) == ("video", 9, 25.0)
    for _ in range(2):
        items = list(source)
        assert [name for name, _ in items] == [f"v.mp4#{i:06d}" for i in range(9)]
        assert items[0][1].shape == (48, 64, 3)
        assert len({frame.tobytes() for _, frame in items}) == 9


def test_a_video_cut_off_gives_what_is_left_of_it(tmp_path):
    whole = write_video(tmp_path / "v.avi", 40, "MJPG").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    source = open_source(str(tmp_path / "cut.avi"))
    assert 0 < len(list(source)) < source.count == 40


def broken(folder):
    jpeg = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))[1].tobytes()
    video = write_video(folder / "good.mp4", 9).read_bytes()
    (folder / "empty_folder").mkdir()
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "cut").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "junk.jpg").write_bytes(b"junk" * 50)
    (folder / "empty.png").write_bytes(b"")
    write_video(folder / "no_frames.mp4", 0)
    (folder / "cut.mp4").write_bytes(video[: len(video) // 2])
    (folder / "junk.mp4").write_bytes(b"junk" * 50)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "notes.txt").write_text("neither")
    return [
        *("empty_folder", "cut.jpg", "cut", "junk.jpg", "empty.png"),
        *("no_frames.mp4", "cut.mp4", "junk.mp4", "empty.mp4", "notes.txt", "missing.mp4"),
    ]


def test_what_can_not_be_read_is_one_line_that_names_it(tmp_path):
    for name in broken(tmp_path):
        with pytest.raises(DataError, match=name.replace(".", r"\.")) as caught:
            list(open_source(str(tmp_path / name)))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["camera:97", "/dev/video97"])
def test_a_camera_that_is_not_there(text, capfd):
    with pytest.raises(DataError, match=f"{text}: this camera can't be opened"):
        open_source(text)
    assert capfd.readouterr() == ("", "")


class Device:
    """Stands in for a cv2 capture: three frames, then the plug is pulled."""

    def __init__(self, *_):
        self.left, self.released = 3, False

    def isOpened(self):  # noqa: N802
        return True

    def get(self, _):
        return 30.0

    def read(self):
        self.left -= 1
        return (True, picture(self.left)) if self.left >= 0 else (False, None)

    def release(self):
        self.released = True


def test_a_camera_that_dies_says_so_and_is_released(monkeypatch):
    devices = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: devices.append(Device()) or devices[-1])
    camera = Camera("camera:0", 0)
    assert (camera.kind, camera.count, camera.fps) == ("camera", None, 30.0)
    names = []
    with pytest.raises(DataError, match="no more frames"):
        names.extend(name for name, _ in camera)
    assert names == [f"camera:0#{i:06d}" for i in range(3)]
    assert all(device.released for device in devices)
    frames = iter(camera)
    assert next(frames)[0] == "camera:0#000000"
    frames.close()
    assert devices[-1].released


# In a process of its own: FFmpeg takes its log level when it is first used.
def test_opencv_and_ffmpeg_add_no_lines_of_their_own(tmp_path):
    names = [str(tmp_path / name) for name in broken(tmp_path)]
    code = """
import sys
from edgecnn.core.errors import DataError
from edgecnn.data.frames import open_source
for name in sys.argv[1:]:
    try:
        list(open_source(name))
    except DataError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == len(names)
    assert done.stderr == ""
