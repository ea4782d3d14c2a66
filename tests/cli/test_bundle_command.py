import json
import shutil

import pytest

from edgecnn.cli.main import run
from edgecnn.core.bundle import open_bundle


def bundle(*arguments):
    return run(["bundle", *(str(argument) for argument in arguments)])


def test_inspect_tells_what_is_known(lane_bundle, capsys):
    assert bundle("inspect", lane_bundle) == 0
    text = capsys.readouterr().out
    for words in (
        "task lanes",
        "32x16 bgr",
        "openvino-fp32: openvino, fp32",
        "single_stream.p50_ms",
        "passed its gates",
    ):
        assert words in text
    assert bundle("inspect", lane_bundle, "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "tiny"


def test_verify_says_every_digest_matches_or_exits_2(lane_bundle, tmp_path, capsys):
    assert bundle("verify", lane_bundle) == 0
    assert "2 files" in capsys.readouterr().out
    assert bundle("verify", lane_bundle, "--json") == 0
    assert json.loads(capsys.readouterr().out)["files"] == 2
    copy = shutil.copytree(lane_bundle, tmp_path / "copy")
    file = copy / "artefacts" / "openvino-fp32" / "model.onnx"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert bundle("verify", copy) == 2
    error = capsys.readouterr().err
    assert "model.onnx is not the file that was sealed" in error
    assert len(error.splitlines()) == 1


def test_pack_and_unpack_round_trip(lane_bundle, tmp_path):
    packed, folder = tmp_path / "tiny.edge", tmp_path / "again"
    assert bundle("pack", lane_bundle, packed) == 0
    assert bundle("unpack", packed, folder) == 0
    assert open_bundle(folder).manifest == open_bundle(lane_bundle).manifest
    assert bundle("pack", folder, tmp_path / "second.edge") == 0
    assert (tmp_path / "second.edge").read_bytes() == packed.read_bytes()


def test_nothing_is_replaced_unasked(lane_bundle, tmp_path, capsys):
    packed = tmp_path / "tiny.edge"
    assert bundle("pack", lane_bundle, packed) == 0
    assert bundle("pack", lane_bundle, packed) == 2
    assert "--force" in capsys.readouterr().err
    assert bundle("pack", lane_bundle, packed, "--force") == 0
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    for flags in ([], ["--force"]):
        assert bundle("unpack", packed, precious, *flags) == 2
        assert (precious / "thesis.txt").exists()
    assert "this is no bundle" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["inspect", "verify"])
def test_what_is_no_bundle_is_one_line(name, tmp_path, capsys):
    assert bundle(name, tmp_path / "nothing") == 2
    assert capsys.readouterr().err.count("\n") == 1
