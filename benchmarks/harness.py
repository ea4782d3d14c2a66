"""What the measuring itself costs and whether it can be believed: `python benchmarks/harness.py [--model FILE]`.

1. A null engine: what the harness adds to a query.
2. The median of our OpenVINO engine against OpenVINO's own `benchmark_app` on the same file, same threads, synchronous,
   latency hint, taken in turns. It shall lie within 3 %.
3. With `--honesty N`: N comparisons of an engine with itself (claims of a difference are false) and N with 5 % of work
   added (a claim of "slower" is right), on a smaller network.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper, numpy_helper

from edgecnn.bench.clock import SystemClock
from edgecnn.bench.compare import judge
from edgecnn.bench.engine_only import EngineOnly
from edgecnn.bench.interleave import Schedule, interleave, paired_ratio, round_medians, schedule
from edgecnn.bench.null_system import null_system, overhead
from edgecnn.bench.series import Series
from edgecnn.bench.single_stream import SingleStream
from edgecnn.bench.statistics import median_interval
from edgecnn.bench.system import System
from edgecnn.core.tensor import TensorSpec
from edgecnn.runtime.engines.openvino import OpenVinoEngine, open_engine

BOUND = 0.03


def residual_network(side: int = 224, channels: int = 48, blocks: int = 4) -> bytes:
    """Return an ONNX network of residual blocks on uint8 NHWC frames, a few milliseconds on a desktop core or two."""
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(np.array([1, -1], np.int64), "shape")]
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
    ]

    def conv(source: str, target: str, before: int, kernel: int, stride: int) -> None:
        kernel_shape = (channels, before, kernel, kernel)
        values = rng.standard_normal(kernel_shape) / np.sqrt(before * kernel * kernel)
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"{target}_w"))
        nodes.append(
            helper.make_node(
                "Conv", [source, f"{target}_w"], [target], pads=[kernel // 2] * 4, strides=[stride, stride]
            )
        )

    conv("nchw", "stem", 3, 7, 4)
    last = "stem"
    for i in range(blocks):
        conv(last, f"a{i}", channels, 3, 1)
        nodes.append(helper.make_node("Relu", [f"a{i}"], [f"r{i}"]))
        conv(f"r{i}", f"b{i}", channels, 3, 1)
        nodes.append(helper.make_node("Add", [f"b{i}", last], [f"s{i}"]))
        nodes.append(helper.make_node("Relu", [f"s{i}"], [f"o{i}"]))
        last = f"o{i}"
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["pooled"]))
    nodes.append(helper.make_node("Reshape", ["pooled", "shape"], ["out"]))
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, side, side, 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, channels])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def open_ours(file: Path, threads: int) -> OpenVinoEngine:
    """Open `file` (.onnx, or .xml with its .bin) as a bundle would."""
    network = openvino.Core().read_model(file)

    def specs(ports: list[Any]) -> tuple[TensorSpec, ...]:
        return tuple(
            TensorSpec(port.any_name, tuple(port.shape), np.dtype(port.element_type.to_dtype()).name) for port in ports
        )

    names = [file, file.with_suffix(".bin")] if file.suffix == ".xml" else [file]
    files = {name.name: name.read_bytes() for name in names}
    return open_engine(files, specs(network.inputs), specs(network.outputs), {"threads": threads})


def engine_system(name: str, engine: OpenVinoEngine, extra_work: float = 0.0) -> System:
    """Return the engine on random frames; `extra_work` is the share of its own median that it wastes more each time."""
    rng = np.random.default_rng(0)
    feeds = {spec.name: (rng.random(spec.shape) * 255).astype(spec.dtype) for spec in engine.inputs}
    run = engine.infer
    if extra_work:
        clock = SystemClock()
        rows = EngineOnly().block(System(name, lambda frame: frame, run, _nothing, [feeds]), clock, 0.5)
        waste_ns = extra_work * float(np.median(rows[:, 1]))

        def run(feeds: Any) -> Any:
            outputs = engine.infer(feeds)
            until = clock.now_ns() + waste_ns
            while clock.now_ns() < until:
                pass
            return outputs

    return System(name, lambda frame: frame, run, _nothing, [feeds])


def _nothing(_outputs: Any, _frame: Any) -> None:
    return None


def print_overhead(seconds: float) -> None:
    """Print what the harness costs a query."""
    inputs = (TensorSpec("image", (1, 320, 800, 3), "uint8", "NHWC"),)
    system = null_system(inputs, (TensorSpec("out", (1, 1000), "float32"),))
    scenario = SingleStream()
    series = interleave(scenario, [system], schedule(scenario, seconds), clock=SystemClock(), seed=0)["null"]
    for name, figure in overhead(series).items():
        print(f"{name}: {figure.text(2)}")


def benchmark_app_ms(file: Path, threads: int, seconds: int) -> float:
    """Return the median latency in ms that OpenVINO's benchmark_app reports for `file`."""
    program = shutil.which("benchmark_app", path=str(Path(sys.executable).parent)) or shutil.which("benchmark_app")
    if program is None:
        raise SystemExit("benchmark_app is not installed: pip install openvino")
    with tempfile.TemporaryDirectory() as folder:
        # Threads by a configuration file: the option -nthreads would switch the latency hint off.
        config = Path(folder) / "config.json"
        config.write_text(
            json.dumps({"CPU": {"INFERENCE_NUM_THREADS": str(threads), "INFERENCE_PRECISION_HINT": "f32"}})
        )
        options = ["-d", "CPU", "-hint", "latency", "-api", "sync", "-load_config", str(config), "-m", str(file)]
        options += ["-t", str(seconds), "-json_stats", "-report_type", "no_counters", "-report_folder", folder]
        subprocess.run([program, *options], check=True, capture_output=True)
        report = json.loads((Path(folder) / "benchmark_report.json").read_text())
    return float(report["execution_results"]["latency (ms)"])


def print_against_benchmark_app(file: Path, threads: int, seconds: int, rounds: int) -> bool:
    """Print both medians and their ratio; return whether it lies within the bound."""
    engine = open_ours(file, threads)
    system, scenario = engine_system("ours", engine), EngineOnly()
    ours, theirs = [], []
    for number in range(rounds):
        # Who goes first changes every round, so that neither always runs on the warmer machine.
        for turn in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            if turn == "theirs":
                theirs.append(benchmark_app_ms(file, threads, seconds))
            else:
                series = Series(scenario)
                series.add(0, scenario.block(system, SystemClock(), seconds))
                ours.append(float(np.median(series.rows()[series.judged(None), 1])) / 1e6)
    engine.close()
    ratios = np.array(ours) / np.array(theirs)
    low, high = median_interval(ratios)
    ratio = float(np.median(ratios))
    print(f"OpenVINO median, edgecnn:       {np.median(ours):.3f} ms (rounds: {', '.join(f'{x:.2f}' for x in ours)})")
    print(
        f"OpenVINO median, benchmark_app: {np.median(theirs):.3f} ms (rounds: {', '.join(f'{x:.2f}' for x in theirs)})"
    )
    apart_us = 1e3 * float(np.median(np.array(ours) - np.array(theirs)))
    print(f"apart by {apart_us:.0f} us a query: benchmark_app times inside the call, edgecnn what its caller waits for")
    print(f"ratio: {ratio:.4f} [{low:.4f}, {high:.4f}] over {rounds} rounds; bound {1 - BOUND:.2f} to {1 + BOUND:.2f}")
    return abs(ratio - 1) <= BOUND


def print_honesty(file: Path, threads: int, count: int) -> None:
    """Print how often a difference is claimed where there is none, and how often 5 % more work is found."""
    engine = open_ours(file, threads)
    scenario, plan = EngineOnly(), Schedule(rounds=20, block_seconds=0.1, warmup_seconds=0.2)
    claims: dict[float, list[str]] = {0.0: [], 0.05: []}
    for number in range(count):
        for extra, verdicts in claims.items():
            systems = [engine_system("a", engine), engine_system("b", engine, extra)]
            found = interleave(scenario, systems, plan, clock=SystemClock(), seed=number)
            medians = [
                round_medians(series.columns()["latency_ns"], series.round_of_row(), series.judged(None))
                for series in (found["b"], found["a"])
            ]
            verdicts.append(judge(paired_ratio(*medians)))
    engine.close()
    false = sum(verdict in ("slower", "faster") for verdict in claims[0.0])
    right = sum(verdict == "slower" for verdict in claims[0.05])
    print(f"A against A: {false} of {count} claim a difference; 5 % more work: {right} of {count} found slower")


def main() -> int:
    """Run what the options ask for; exit code 1 if the bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help=".onnx or .xml; a residual network made here unless given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=2, help="whole seconds a turn")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--honesty", type=int, default=0, metavar="N")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = options.model
        if file is None:
            file = Path(folder) / "residual.onnx"
            file.write_bytes(residual_network())
        print_overhead(options.seconds)
        if options.honesty:
            # A small network, so that a hundred comparisons take minutes.
            small = Path(folder) / "small.onnx"
            small.write_bytes(residual_network(side=96))
            print_honesty(small, options.threads, options.honesty)
        held = print_against_benchmark_app(file, options.threads, options.seconds, options.rounds)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
