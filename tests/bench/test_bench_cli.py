import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from edgecnn.bench import samples
from edgecnn.cli import bench, compare
from edgecnn.core.errors import BundleError, InputError

QUICK = ["--seconds", "0.5", "--scenario", "single", "--cold-starts", "0", "--threads", "1"]


def invoke(command, *arguments):
    found = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


@pytest.fixture(scope="module")
def pair(tiny_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair") / "new" / "folder"
    found = invoke(
        bench.command,
        tiny_bundle,
        "--with",
        tiny_bundle,
        "--artefact",
        "onnxruntime-fp32",
        *QUICK,
        # A verdict wants five rounds.
        "--seconds",
        "3",
        "--out",
        folder,
        "--json",
    )
    assert found.exit_code == 0
    printed = json.loads(found.stdout)
    assert printed["a"]["session"] == printed["b"]["session"]
    return folder


def test_a_table_goes_to_stdout(tiny_bundle):
    found = invoke(bench.command, tiny_bundle, "--artefact", "openvino-fp32", *QUICK)
    assert "frame to result, back to back (ms)" in found.stdout
    assert "openvino-fp32" in found.stdout
    assert "null engine:" in found.stdout
    assert "raw samples were not kept" in found.stderr


def test_json_is_one_object_on_stdout(tiny_bundle, tmp_path):
    file = tmp_path / "r.json"
    found = invoke(bench.command, tiny_bundle, "--artefact", "openvino-fp32", *QUICK, "--out", file, "--json")
    assert json.loads(found.stdout) == json.loads(file.read_text())
    assert file.with_suffix(".npz").exists()


def test_compare_takes_what_bench_wrote(pair):
    found = invoke(compare.command, pair / "a.json", pair / "b.json", "--json")
    said = json.loads(found.stdout)
    assert said["interleaved"] is True
    assert said["verdict"] in ("faster", "slower", "no difference", "undecided")
    assert found.exit_code == (said["verdict"] == "slower")
    assert (
        invoke(compare.command, pair / "a.json", pair / "b.json", "--scenario", "engine_only").stdout.count("\n") == 1
    )


def test_a_regression_is_exit_code_1(pair, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.json").write_bytes((pair / f"{name}.json").read_bytes())
    prefix = "/onnxruntime-fp32/single_stream"
    kept = samples.read(pair / "a.npz", f"a{prefix}")
    samples.write(tmp_path / "a.npz", {f"a{prefix}": kept})
    for factor, code in ((1.2, 1), (0.8, 0), (1.0, 0)):
        scaled = {**kept, "latency_ns": (kept["latency_ns"] * factor).astype("int64")}
        samples.write(tmp_path / "b.npz", {f"b{prefix}": scaled})
        assert invoke(compare.command, tmp_path / "a.json", tmp_path / "b.json").exit_code == code


def test_bad_input_is_one_line(tiny_bundle, tmp_path):
    with pytest.raises(InputError, match=r"give a file name that ends in \.json"):
        invoke(bench.command, tiny_bundle, *QUICK, "--out", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file; with --with give a folder"):
        invoke(bench.command, tiny_bundle, "--with", tiny_bundle, *QUICK, "--out", tmp_path / "file")
    with pytest.raises(BundleError, match="no artefact 'x'"):
        invoke(bench.command, tiny_bundle, "--artefact", "x", *QUICK)
    with pytest.raises(BundleError, match="no bundle here"):
        invoke(bench.command, tmp_path / "none", *QUICK)
    with pytest.raises(InputError, match="seconds > 0"):
        invoke(bench.command, tiny_bundle, "--seconds", "-1")
    assert invoke(bench.command, tiny_bundle, "--scenario", "offline").exit_code == 2


@pytest.mark.parametrize("name", ["bench", "compare"])
def test_help_imports_nothing_heavy(name):
    code = (
        f"import sys\nfrom edgecnn.cli import {name}\n"
        "heavy = {'numpy', 'cv2', 'rich', 'msgspec', 'onnxruntime', 'openvino', 'torch', 'onnx'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
