"""trtexec: each version's command lines, what it prints and writes, and building by it where Python has no TensorRT."""

import json
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from small_tensorrt import files, small_bundle
from trtexec_fakes import LAYERS, OPTIONS, PROFILE, TIMES, FakeTrtexec, help_of, summary

from edgecnn.compile.on_device import build_on_device
from edgecnn.compile.tensorrt.trtexec import build_command, described, infer_command, time_command
from edgecnn.compile.tensorrt.trtexec_output import outputs_of, profile_of, summary_of, times_of
from edgecnn.compile.tensorrt.trtexec_run import TrtexecBuilder, find_trtexec, run_here
from edgecnn.core.bundle import open_bundle, write_bundle
from edgecnn.core.errors import EdgecnnError, EngineError, InputError, MissingExtraError
from edgecnn.runtime.engines.tensorrt_settings import BuildSettings, Prepared, Profile

PATH = "/usr/src/tensorrt/bin/trtexec"
ONNX, PLAN, TIMING, OUT = Path("m.onnx"), Path("m.plan"), Path("t.cache"), Path("out.json")
NEW = {"8.6.2", "10.3.0", "11.4.1"}


def tool(version):
    return described(PATH, help_of(version))


def built(version, **changed):
    return build_command(tool(version), BuildSettings(**changed), ONNX, PLAN, TIMING)


def prepared(version, precision):
    typing = "either" if precision == "fp32" else "weak" if version.startswith("8") else "strong"
    return Prepared(precision=precision, typing=typing, opset=17, quantized=precision == "int8")


START = [PATH, "--onnx=m.onnx", "--saveEngine=m.plan"]
TYPES = {
    ("8.2.1", "fp32"): [],
    ("8.2.1", "fp16"): ["--fp16"],
    ("8.5.2", "int8"): ["--int8", "--fp16"],
    ("8.6.2", "int8"): ["--int8", "--fp16"],
    ("10.3.0", "fp32"): ["--stronglyTyped"],
    ("10.3.0", "int8"): ["--stronglyTyped"],
    ("11.4.1", "int8"): [],
    ("11.4.1", "fp16"): [],
}
MEMORY = {
    "8.2.1": ["--buildOnly", "--workspace=1024"],
    "8.5.2": ["--buildOnly", "--memPoolSize=workspace:1024"],
    "8.6.2": ["--skipInference", "--memPoolSize=workspace:1024"],
    "10.3.0": ["--skipInference", "--memPoolSize=workspace:1024"],
    "11.4.1": ["--skipInference", "--memPoolSize=workspace:1024"],
}


@pytest.mark.parametrize(("version", "precision"), TYPES)
def test_the_build_command_of_each_version(version, precision):
    detail = ["--profilingVerbosity=detailed"] if version != "8.2.1" else []
    assert built(version, prepared=prepared(version, precision)) == [
        *START,
        *MEMORY[version],
        *TYPES[version, precision],
        *detail,
        "--noTF32",
        "--timingCacheFile=t.cache",
    ]


@pytest.mark.parametrize("version", sorted(NEW))
def test_every_setting_reaches_the_command(version):
    shapes = {"a": Profile((1, 3), (2, 3), (4, 3)), "b:0": Profile((1,), (2,), (4,))}
    command = built(
        version,
        prepared=prepared(version, "fp16"),
        dla=1,
        level=4,
        sparse=True,
        tf32=True,
        version_compatible=True,
        hardware="ampere+",
        profiles=shapes,
    )
    assert {
        "--useDLACore=1",
        "--allowGPUFallback",
        "--builderOptimizationLevel=4",
        "--sparsity=enable",
        "--versionCompatible",
        "--hardwareCompatibilityLevel=ampere+",
        "--minShapes=a:1x3,'b:0':1",
        "--optShapes=a:2x3,'b:0':2",
        "--maxShapes=a:4x3,'b:0':4",
    } <= set(command)
    assert "--noTF32" not in command
    assert ("--fp16" in command) == (version != "11.4.1")
    assert "--stronglyTyped" not in command


def test_what_a_version_cannot_do_is_named():
    with pytest.raises(EngineError, match=r"trtexec 8.5.2 has no --builderOptimizationLevel"):
        built("8.5.2", level=3)
    with pytest.raises(EngineError, match="compile for target 'tensorrt_8'"):
        built("8.6.2", prepared=prepared("10", "int8"))
    with pytest.raises(EngineError, match=r"prepared for TensorRT 8.*compile for target 'tensorrt_10'"):
        built("11.4.1", prepared=prepared("8", "fp16"))
    with pytest.raises(EngineError, match="knows no hardware level sameComputeCapability"):
        built("10.3.0", hardware="same_compute_capability")
    with pytest.raises(EngineError, match="takes no Q/DQ"):
        built("8.6.2", prepared=prepared("8", "int8"), dla=0)
    with pytest.raises(EngineError, match="FP16 or INT8"):
        built("11.4.1", prepared=prepared("11", "fp32"), dla=0)
    assert "--hardwareCompatibilityLevel=sameComputeCapability" in built("11.4.1", hardware="same_compute_capability")


@pytest.mark.parametrize("version", OPTIONS)
@pytest.mark.parametrize("transfers", [False, True])
def test_every_version_is_timed_alike(version, transfers):
    command = time_command(
        tool(version), BuildSettings(), PLAN, Path("times"), seconds=3, profile=Path("profile"), transfers=transfers
    )
    start = [PATH, "--loadEngine=m.plan", "--warmUp=500", "--duration=3", "--iterations=10", "--exportTimes=times"]
    if version == "11.4.1":
        flags = ["--includeDataTransfers"] if transfers else []
        end = ["--exportProfile=profile"]
    else:
        flags = ["--useCudaGraph", "--useSpinWait", *([] if transfers else ["--noDataTransfers"])]
        end = ["--separateProfileRun", "--exportProfile=profile"]
    assert command == [*start, *flags, *end]


def test_a_plan_for_the_dla_or_free_shapes_is_loaded_as_such():
    free = BuildSettings(profiles={"x": Profile((1, 3), (2, 3), (4, 3))}, shapes={"x": (1, 3)}, dla=0)
    command = infer_command(tool("10.3.0"), free, PLAN, {"x": Path("x.bin"), "y,z": Path("y.bin")}, OUT)
    assert command == [
        PATH,
        "--loadEngine=m.plan",
        "--useDLACore=0",
        "--shapes=x:1x3",
        "--loadInputs=x:x.bin,'y,z':y.bin",
        "--exportOutput=out.json",
        "--iterations=1",
        "--duration=0",
        "--warmUp=0",
    ]


@pytest.mark.parametrize("version", OPTIONS)
def test_the_version_stands_in_the_banner(version):
    assert tool(version).version == version


def test_what_is_no_trtexec_is_told():
    with pytest.raises(EngineError, match="this is no trtexec"):
        described("/bin/ls", "usage: ls [--all]")


@pytest.mark.parametrize("version", OPTIONS)
def test_the_summary_is_read(version):
    found = summary_of(f"much before\n{summary(version, 'GPU compute time is unstable, with coefficient 4%')}\n")
    assert found.throughput_qps == 481.25
    assert found.wall_s == 3.00468
    assert (found.metrics["GPU Compute Time"].median, found.metrics["GPU Compute Time"].max) == (1.8, 2.8)
    assert found.metrics["Latency"].percentiles[99.0] == 2.5
    assert found.metrics["Enqueue Time"].median == 0.0061
    assert found.warnings == ("* GPU compute time is unstable, with coefficient 4%",)
    assert ("End-to-End Host Latency" in found.metrics) == (version == "8.2.1")


def test_without_a_summary_its_errors_are_told():
    text = "[I] fine\n[11/22/2026-10:00:00] [E] [TRT] 4: Network has dynamic inputs\n[E] Engine set up failed\n"
    with pytest.raises(EngineError, match="no summary: 4: Network has dynamic inputs; Engine set up failed"):
        summary_of(text)
    with pytest.raises(EngineError, match="it printed nothing"):
        summary_of("")


def test_times_and_layers_are_read():
    times = times_of(TIMES)
    assert len(times["computeMs"]) == 11
    np.testing.assert_allclose(np.median(times["latencyMs"]), 0.9)
    assert profile_of(PROFILE) == (20, {"conv1 + relu1": 0.525, "Reformatting CopyNode": 0.225})
    old = PROFILE.replace(', "medianMs" : 0.52', "").replace(', "medianMs" : 0.2', "")
    assert profile_of(old) == profile_of(PROFILE)


def test_outputs_are_read_with_what_is_no_number():
    text = '[ { "name" : "y", "dimensions" : "1x2x2", "values" : [ 1, -2.5e-3, nan, -inf ] } ]'
    np.testing.assert_array_equal(outputs_of(text)["y"], np.array([[[1, -0.0025], [np.nan, -np.inf]]]))


@settings(max_examples=60, deadline=None)
@given(st.text() | st.sampled_from([TIMES, PROFILE, LAYERS, summary()]).flatmap(lambda t: st.just(t[: len(t) // 2])))
def test_whatever_is_no_output_of_trtexec_is_read_or_refused(text):
    for read in (summary_of, times_of, profile_of, outputs_of):
        with suppress(EngineError):
            read(text)


@pytest.mark.parametrize("version", OPTIONS)
def test_a_trtexec_builds_times_and_runs(version, tmp_path):
    fake = FakeTrtexec(version)
    builder = TrtexecBuilder(tool(version), fake)
    network = files()["model.onnx"]
    made = builder.build(network, BuildSettings(prepared=prepared(version, "fp32")), b"earlier", 0)
    assert (made.plan, made.timing_cache) == (network, b"timed")
    assert made.notes == ("[I] [TRT] [DlaLayer] {ForeignNode[a...b]}", "[I] [TRT] [GpuLayer] CAST: c")
    plan = tmp_path / "engine.plan"
    plan.write_bytes(made.plan)
    timed = builder.time(plan, BuildSettings(), 3)
    assert (timed.summary.throughput_qps, len(timed.times_ms["computeMs"])) == (481.25, 11)
    assert list(timed.layers_ms) == ["conv1 + relu1", "Reformatting CopyNode"]
    assert bool(timed.layers) == (version != "8.2.1")


def test_a_trtexec_that_fails_is_quoted():
    fake = FakeTrtexec("8.6.2")
    fake.status, fake.text = 1, "[E] [TRT] ModelImporter.cpp:726: unsupported opset\n&&&& FAILED"
    with pytest.raises(EngineError, match=r"trtexec failed: ModelImporter.cpp:726: unsupported opset"):
        TrtexecBuilder(tool("8.6.2"), fake).build(b"", BuildSettings(), b"", 0)


def test_where_there_is_no_trtexec_the_package_is_named(monkeypatch):
    monkeypatch.delenv("EDGECNN_TRTEXEC", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingExtraError, match="sudo apt install libnvinfer-bin"):
        find_trtexec()
    monkeypatch.setenv("EDGECNN_TRTEXEC", "/nowhere/trtexec")
    with pytest.raises(EngineError, match="/nowhere/trtexec can't be run"):
        find_trtexec()
    with pytest.raises(EngineError, match=r"was not done in 0.01 s"):
        run_here(("/bin/sleep", "5"), 0.01)


@pytest.mark.parametrize("version", ["8.5.2", "10.3.0", "11.4.1"])
def test_a_bundle_is_built_by_trtexec_where_python_has_no_tensorrt(version, tmp_path, monkeypatch, engine_cache):
    monkeypatch.setenv("EDGECNN_TRTEXEC", PATH)
    fake, path, said = FakeTrtexec(version), small_bundle(tmp_path / "bundle"), []
    (made,) = build_on_device(path, say=said.append, command=fake)
    assert (made.artefact, made.engine, made.by) == ("tensorrt-fp32", "tensorrt", "trtexec")
    facts = made.facts
    assert (facts["version"], facts["built_now"], facts["queries"]) == (version, True, 11)
    assert max(facts["golden_rel_error"].values()) < 1e-5
    assert set(facts["golden_rel_error"]) == {"rows", "sum"}
    assert facts["latency_p50_ms"] == pytest.approx(0.9)
    assert facts["on_dla"] == ["{ForeignNode[a...b]}"]
    assert Path(facts["plan"]).is_relative_to(engine_cache)
    assert said == ["tensorrt-fp32: building for tensorrt on this device, which can take minutes"]
    json.dumps(facts)
    (again,) = build_on_device(path, command=fake)
    assert again.facts["built_now"] is False
    assert sum("--saveEngine" in " ".join(command) for command in fake.commands) == 1


def test_a_wrong_engine_is_seen_in_the_golden_error(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECNN_TRTEXEC", PATH)
    fake = FakeTrtexec("8.6.2")
    honest = fake._infer

    def lying(told):
        honest(told)
        out = Path(told["exportOutput"])
        rows = [{**row, "values": [value + 1 for value in row["values"]]} for row in json.loads(out.read_text())]
        out.write_text(json.dumps(rows))

    fake._infer = lying
    (made,) = build_on_device(small_bundle(tmp_path / "bundle"), command=fake)
    assert max(made.facts["golden_rel_error"].values()) > 0.1


def test_without_either_both_ways_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("EDGECNN_TRTEXEC", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingExtraError, match=r"python3-libnvinfer.*libnvinfer-bin") as caught:
        build_on_device(small_bundle(tmp_path / "bundle"))
    assert "\n" not in str(caught.value)


def test_a_bundle_with_nothing_to_build_says_so(tmp_path):
    path = small_bundle(tmp_path / "bundle")
    with pytest.raises(EdgecnnError, match="no artefact 'other'"):
        build_on_device(path, artefact="other")
    bundle = open_bundle(path)
    moved = replace(
        bundle.manifest, artefacts=tuple(replace(a, engine="onnxruntime") for a in bundle.manifest.artefacts)
    )
    other = write_bundle(tmp_path / "other", moved, {name: bundle.read(name) for name in bundle.manifest.files})
    with pytest.raises(InputError, match=r"no artefact of it is built on a device \(tensorrt are\)"):
        build_on_device(other)


def test_of_several_artefacts_those_for_other_boards_are_told_and_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECNN_TRTEXEC", PATH)
    bundle = open_bundle(small_bundle(tmp_path / "bundle"))
    (own,) = bundle.manifest.artefacts
    strong = msgspec.json.encode(prepared("10", "int8"))
    alien = replace(own, name="alien", files=(own.files[0], "artefacts/alien/tensorrt.json"))
    inside = {name: bundle.read(name) for name in bundle.manifest.files} | {alien.files[1]: strong}
    both = write_bundle(tmp_path / "both", replace(bundle.manifest, artefacts=(alien, own)), inside)
    said = []
    (made,) = build_on_device(both, say=said.append, command=FakeTrtexec("8.6.2"))
    assert made.artefact == own.name
    assert any(text.startswith("alien: not built: tensorrt: ") for text in said)
    with pytest.raises(EngineError, match="compile for target 'tensorrt_8'"):
        build_on_device(both, artefact="alien", command=FakeTrtexec("8.6.2"))
