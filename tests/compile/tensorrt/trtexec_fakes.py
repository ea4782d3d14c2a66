"""What trtexec prints and writes, version by version, and a trtexec that only writes files.

The lists of options are what each version's source has of those that matter here; texts follow its printing code.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort

_ALWAYS = [
    "onnx",
    "saveEngine",
    "loadEngine",
    "minShapes",
    "optShapes",
    "maxShapes",
    "shapes",
    "iterations",
    "duration",
    "warmUp",
    "avgRuns",
    "percentile",
    "noTF32",
    "timingCacheFile",
    "sparsity",
    "useDLACore",
    "allowGPUFallback",
    "dumpProfile",
    "exportProfile",
    "exportTimes",
    "exportOutput",
    "loadInputs",
    "useCudaGraph",
    "noDataTransfers",
    "useSpinWait",
    "separateProfileRun",
]
_EIGHT = [*_ALWAYS, "fp16", "int8", "best", "calib", "workspace", "buildOnly", "explicitBatch"]
_MORE = ["profilingVerbosity", "exportLayerInfo", "dumpLayerInfo", "memPoolSize"]
_SINCE_8_6 = ["builderOptimizationLevel", "versionCompatible", "hardwareCompatibilityLevel", "skipInference"]
_GONE_BY_10 = {"workspace", "buildOnly", "explicitBatch"}
_TEN = [name for name in [*_EIGHT, *_MORE, *_SINCE_8_6, "stronglyTyped", "bf16", "fp8"] if name not in _GONE_BY_10]
OPTIONS = {
    "8.2.1": _EIGHT,
    "8.5.2": [*_EIGHT, *_MORE],
    "8.6.2": [*_EIGHT, *_MORE, *_SINCE_8_6],
    "10.3.0": _TEN,
    "11.4.1": [
        *(name for name in _TEN if name not in {"fp16", "int8", "bf16", "fp8", "best", "calib"}),
        *["noCudaGraph", "includeDataTransfers", "noSpinWait"],
    ],
}
_BANNERS = {"8.2.1": "8201", "8.5.2": "8502", "8.6.2": "8602", "10.3.0": "100300", "11.4.1": "110401"}
_LEVELS = {"8.6.2": "none|ampere+", "10.3.0": "none|ampere+", "11.4.1": "none|ampere+|sameComputeCapability"}


def help_of(version):
    """Return what `--help` prints."""
    levels = _LEVELS.get(version, "")
    lines = [
        f"  --{name:24} ({levels})" if "hardware" in name else f"  --{name:24} says what" for name in OPTIONS[version]
    ]
    banner = f"&&&& RUNNING TensorRT.trtexec [TensorRT v{_BANNERS[version]}] # trtexec --help"
    return "\n".join([banner, "=== Model Options ===", *lines])


def spread(median, percentiles):
    parts = ", ".join(f"percentile({part}%) = {value} ms" for part, value in percentiles)
    ends = f"min = {median - 0.1:g} ms, max = {median + 1:g} ms, mean = {median + 0.01:g} ms"
    return f"{ends}, median = {median:g} ms, {parts}"


def summary(version="10.3.0", warning=""):
    """Return the end of what a timed run prints."""
    old = version.startswith("8.2")
    percentiles = [(99, 2.5)] if old else [(90, 2.1), (95, 2.2), (99, 2.5)]
    lines = [
        "=== Performance summary ===",
        "Throughput: 481.25 qps",
        f"Latency: {spread(2.05, percentiles)}",
        *([f"End-to-End Host Latency: {spread(3.5, percentiles)}"] if old else []),
        f"Enqueue Time: {spread(0.0061, percentiles)}",
        f"H2D Latency: {spread(0.15, percentiles)}",
        f"GPU Compute Time: {spread(1.8, percentiles)}",
        f"D2H Latency: {spread(0.1, percentiles)}",
        "Total Host Walltime: 3.00468 s",
        "Total GPU Compute Time: 2.6 s",
    ]
    stamped = [f"[11/22/2026-10:00:00] [I] {line}" for line in lines]
    if warning:
        stamped.append(f"[11/22/2026-10:00:00] [W] * {warning}")
    return "\n".join([*stamped, f"&&&& PASSED TensorRT.trtexec [TensorRT v{_BANNERS[version]}] # trtexec"])


TIMES = (
    "[\n"
    + "\n".join(
        f'{"  " if i == 0 else ", "}{{ "startEnqMs" : {i}.1, "endEnqMs" : {i}.11, '
        f'"startH2dMs" : {i}.1, "endH2dMs" : {i}.2, '
        f'"startComputeMs" : {i}.2, "endComputeMs" : {i}.9, "startD2hMs" : {i}.9, "endD2hMs" : {i}.95, "h2dMs" : 0.1, '
        f'"computeMs" : {0.7 + i / 100}, "d2hMs" : 0.05, "latencyMs" : {0.85 + i / 100} }}'
        for i in range(11)
    )
    + "\n]\n"
)
PROFILE = (
    '[\n  { "count" : 20 }\n'
    ', { "name" : "conv1 + relu1", "timeMs" : 10.5, "averageMs" : 0.525, "medianMs" : 0.52, "percentage" : 70 }\n'
    ', { "name" : "Reformatting CopyNode", "timeMs" : 4.5, "averageMs" : 0.225, "medianMs" : 0.2, '
    '"percentage" : 30 }\n]\n'
)
LAYERS = json.dumps({"Layers": [{"Name": "conv1 + relu1", "LayerType": "CaskConvolution"}], "Bindings": ["x", "y"]})


class FakeTrtexec:
    """Runs commands as trtexec would, far enough to leave its files; an engine is the ONNX file itself."""

    def __init__(self, version):
        self.version, self.commands, self.status, self.text = version, [], 0, ""

    def __call__(self, command, seconds):
        assert seconds > 0
        self.commands.append(list(command))
        if "--help" in command:
            return 0, help_of(self.version)
        given = dict(part.removeprefix("--").partition("=")[::2] for part in command[1:])
        assert set(given) <= set(OPTIONS[self.version]), (
            f"{self.version} has no {set(given) - set(OPTIONS[self.version])}"
        )
        if self.status:
            return self.status, self.text
        if "onnx" in given:
            Path(given["saveEngine"]).write_bytes(Path(given["onnx"]).read_bytes())
            Path(given["timingCacheFile"]).write_bytes(b"timed")
            return 0, "[I] [TRT] [DlaLayer] {ForeignNode[a...b]}\n[I] [TRT] [GpuLayer] CAST: c\n" + "&&&& PASSED"
        for option, text in (("exportTimes", TIMES), ("exportProfile", PROFILE), ("exportLayerInfo", LAYERS)):
            if option in given:
                Path(given[option]).write_text(text)
        if "exportOutput" in given:
            self._infer(given)
        return 0, summary(self.version)

    def _infer(self, given):
        session = ort.InferenceSession(Path(given["loadEngine"]).read_bytes(), providers=["CPUExecutionProvider"])
        files = dict(part.rsplit(":", 1) for part in given["loadInputs"].split(","))
        feeds = {}
        for one in session.get_inputs():
            kind = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}[one.type]
            feeds[one.name] = np.fromfile(files[one.name], kind).reshape(one.shape)
        rows = []
        for one, value in zip(session.get_outputs(), session.run(None, feeds), strict=True):
            values = ", ".join(f"{number:g}" for number in value.reshape(-1))
            dims = "x".join(map(str, value.shape))
            rows.append(f'{{ "name" : "{one.name}"\n  , "dimensions" : "{dims}"\n  , "values" : [ {values} ]\n  }}')
        Path(given["exportOutput"]).write_text("[\n  " + "\n, ".join(rows) + "\n]\n")
