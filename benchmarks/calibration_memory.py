"""Peak memory of calibrating and quantizing, each number of frames in a process of its own.

python benchmarks/calibration_memory.py [--frames 32 1024] [--size 640x360] [--scheme NAME] [--out FILE.json]

The frames are laid down on disk as `edgecnn quantize` does it, then read one at a time by every pass over them. The
network is a small residual one with random weights. `before_mib` is the peak before the first frame is laid down, with
everything imported, and `peak_mib` that of the whole process at its end.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.core.registry import resolve
from edgecnn.data.spool import write_spool

COARSE = 8
KIB_A_UNIT = 1 if sys.platform != "darwin" else 1 / 1024
"""`ru_maxrss` counts KiB, but bytes on macOS."""


def frames(count: int, height: int, width: int) -> Iterator[dict[str, NDArray[np.uint8]]]:
    """Yield frames of patches with noise, each made when it is asked for."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        coarse = rng.integers(0, 224, (-(-height // COARSE), -(-width // COARSE), 3), np.uint8)
        frame = coarse.repeat(COARSE, 0).repeat(COARSE, 1)[:height, :width]
        frame += rng.integers(0, 32, frame.shape, np.uint8)
        yield {"image": frame[None]}


def network(height: int, width: int) -> onnx.ModelProto:
    """Return a network of six convolutions and a residual sum over a uint8 frame [1, height, width, 3]."""
    rng = np.random.default_rng(1)
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["real"], ["planes"], "planes", perm=[0, 3, 1, 2]),
    ]
    weights = []

    def conv(given: str, result: str, inputs: int, outputs: int, stride: int = 1) -> str:
        scale = np.sqrt(2 / (9 * inputs)) / (128 if given == "planes" else 1)
        array = (scale * rng.standard_normal((outputs, inputs, 3, 3))).astype(np.float32)
        weights.append(numpy_helper.from_array(array, f"{result}.weight"))
        names = [given, f"{result}.weight"]
        nodes.append(helper.make_node("Conv", names, [f"{result}.sum"], result, pads=[1] * 4, strides=[stride] * 2))
        nodes.append(helper.make_node("Relu", [f"{result}.sum"], [result], f"{result}.relu"))
        return result

    halves = conv(conv("planes", "stem", 3, 16, 2), "half", 16, 24, 2)
    inner = conv(conv(halves, "first", 24, 24), "second", 24, 24)
    nodes.append(helper.make_node("Add", [halves, inner], ["residual"], "residual"))
    last = conv(conv("residual", "quarter", 24, 48, 2), "last", 48, 16)
    graph = helper.make_graph(
        nodes,
        "calibration_memory",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, height, width, 3])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def measure(count: int, height: int, width: int, scheme: str) -> dict[str, float]:
    """Calibrate on `count` frames, quantize plainly, and return what this process took."""
    model, rules = network(height, width), resolve("scheme", scheme)
    before = _peak_mib()
    with tempfile.TemporaryDirectory() as folder:
        spool = write_spool(Path(folder) / "frames", frames(count, height, width))
        began = time.perf_counter()
        quantize(model, rules, spool, Settings("mse", correct=False))
        seconds = time.perf_counter() - began
    return {"frames": count, "before_mib": before, "peak_mib": _peak_mib(), "seconds": round(seconds, 1)}


def _peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB_A_UNIT / 1024, 1)


def main() -> None:
    """Measure each number of frames in a fresh process, and print a table or write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[32, 1024])
    parser.add_argument("--size", default="640x360", metavar="WIDTHxHEIGHT")
    parser.add_argument("--scheme", default="openvino_cpu")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    if options.one:
        print(json.dumps(measure(options.frames[0], height, width, options.scheme)))
        return
    runs = []
    for count in options.frames:
        words = ["--frames", str(count), "--size", options.size, "--scheme", options.scheme, "--one"]
        done = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
        print("{frames:6} frames  peak {peak_mib} MiB, {before_mib} MiB of it before; {seconds} s".format(**runs[-1]))
    growth = round(runs[-1]["peak_mib"] - runs[0]["peak_mib"], 1)
    print(f"{growth:+.1f} MiB from {runs[0]['frames']} to {runs[-1]['frames']} frames of {options.size}")
    if options.out:
        found = {"size": options.size, "scheme": options.scheme, "runs": runs, "growth_mib": growth}
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
