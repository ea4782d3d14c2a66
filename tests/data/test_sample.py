"""Pictures from disk: whole ones are read, all others are one clear error."""

import cv2
import numpy as np
import pytest

from edgecnn.core.errors import DataError
from edgecnn.data.sample import image_size, read_image


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.fixture(params=[".png", ".jpg"])
def path(request, tmp_path, picture):
    file = tmp_path / f"a{request.param}"
    assert cv2.imwrite(str(file), picture)
    return file


def test_a_picture_comes_back_in_bgr(tmp_path, picture):
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), picture)
    assert np.array_equal(read_image(file), picture)


def test_a_grey_picture_gets_three_channels(tmp_path, picture):
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), picture[..., 0])
    assert read_image(file).shape == (48, 64, 3)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.98])
def test_a_cut_picture_is_an_error_not_half_grey(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=r"a\.(png|jpg)"):
        read_image(path)


def test_a_jpeg_cut_inside_whose_end_marker_is_kept_reads_as_what_is_left(tmp_path):
    # Bytes lost from the middle leave a well-formed file; that is the limit of what the marker proves.
    file = tmp_path / "a.jpg"
    file.write_bytes(b"\xff\xd8" + b"\x00" * 100 + b"\xff\xd9")
    with pytest.raises(DataError, match="not a picture"):
        read_image(file)


@pytest.mark.parametrize(
    ("data", "words"), [(b"", "empty"), (b"hello, this is text", "not a picture"), (b"\x89PNG\r\n\x1a\n", "cut off")]
)
def test_what_is_no_picture_says_so(tmp_path, data, words):
    file = tmp_path / "a.jpg"
    file.write_bytes(data)
    with pytest.raises(DataError, match=words):
        read_image(file)


def test_a_missing_picture_names_its_path(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.jpg.*No such file"):
        read_image(tmp_path / "nothing.jpg")


def test_the_size_comes_from_the_header(path):
    assert image_size(path) == (64, 48)
    # The pixels aren't needed for it.
    path.write_bytes(path.read_bytes()[:700])
    assert image_size(path) == (64, 48)


def test_the_size_of_another_format_comes_from_decoding(tmp_path, picture):
    file = tmp_path / "a.bmp"
    cv2.imwrite(str(file), picture)
    assert image_size(file) == (64, 48)
