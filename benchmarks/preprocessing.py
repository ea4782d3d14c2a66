"""Pre-processing baked into the network against OpenVINO's PrePostProcessor: `python benchmarks/preprocessing.py`.

Both take uint8 [1, H, W, 3] BGR frames and give the same network RGB, less a mean, divided by a deviation. One has that
as ONNX nodes (Cast, Transpose, Gather, Sub, Mul), as edgecnn exports it, the other as PrePostProcessor's steps on the
network without them. They take turns; a ratio above 1 says by how much the baked one is slower.
"""

import argparse
from typing import Any

import numpy as np
import onnx
import openvino as ov
from onnx import TensorProto, helper, numpy_helper
from openvino.preprocess import ColorFormat, PrePostProcessor

from edgecnn.bench.clock import SystemClock
from edgecnn.bench.engine_only import EngineOnly
from edgecnn.bench.interleave import interleave, paired_ratio, round_medians, schedule
from edgecnn.bench.series import Series
from edgecnn.bench.system import System
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.core.registry import resolve

MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
SIZES = ("160x320", "320x800", "720x1280")
INNER = "normalised"


def network(height: int, width: int, channels: int) -> onnx.ModelProto:
    """Return a small network on uint8 frames: the pre-processing, then four convolutions that halve the picture."""
    rng = np.random.default_rng(0)
    constants = [
        numpy_helper.from_array(np.array([2, 1, 0]), "rgb"),
        numpy_helper.from_array(np.array(MEAN, np.float32).reshape(1, 3, 1, 1), "mean"),
        numpy_helper.from_array((1 / np.array(DEVIATION, np.float32)).reshape(1, 3, 1, 1), "scale"),
    ]
    nodes = [
        helper.make_node("Cast", ["frame"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["bgr"], perm=[0, 3, 1, 2]),
        helper.make_node("Gather", ["bgr", "rgb"], ["ordered"], axis=1),
        helper.make_node("Sub", ["ordered", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], [INNER]),
    ]
    last, before = INNER, 3
    for step in range(4):
        weight = rng.standard_normal((channels, before, 3, 3)) / np.sqrt(9 * before)
        constants.append(numpy_helper.from_array(weight.astype(np.float32), f"w{step}"))
        nodes.append(helper.make_node("Conv", [last, f"w{step}"], [f"c{step}"], strides=[2, 2], pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{step}"], [f"r{step}"]))
        last, before = f"r{step}", channels
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["out"]))
    graph = helper.make_graph(
        nodes,
        "preprocessing",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, height, width, 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, channels, 1, 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def without_head(model: onnx.ModelProto, height: int, width: int) -> onnx.ModelProto:
    """Return `model` as it goes on from the normalised picture, which becomes its float input."""
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    head = {"Cast", "Transpose", "Gather", "Sub", "Mul"}
    kept = [node for node in cut.graph.node if node.op_type not in head]
    inner = next(node.input[0] for node in kept if node.op_type in ("Conv", "QuantizeLinear"))
    del cut.graph.node[:], cut.graph.input[:]
    cut.graph.node.extend(kept)
    cut.graph.input.append(helper.make_tensor_value_info(inner, TensorProto.FLOAT, [1, 3, height, width]))
    return cut


def with_steps(model: onnx.ModelProto) -> Any:
    """Return OpenVINO's network for `model`, its pre-processing as PrePostProcessor's steps."""
    steps = PrePostProcessor(ov.Core().read_model(model.SerializeToString()))
    frame = steps.input()
    frame.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.BGR)
    frame.model().set_layout(ov.Layout("NCHW"))
    # Bytes are a quarter of what floats are to move, so they become float last.
    frame.preprocess().convert_color(ColorFormat.RGB).convert_layout(ov.Layout("NCHW"))
    frame.preprocess().convert_element_type(ov.Type.f32).mean(list(MEAN)).scale(list(DEVIATION))
    return steps.build()


def system(name: str, compiled: Any, frame: Any) -> System:
    """Return a compiled network that copies the frame into its request's own tensor, as edgecnn's engine does."""
    request = compiled.create_infer_request()
    held = request.get_input_tensor().data

    def run(feeds: Any) -> Any:
        np.copyto(held, feeds)
        request.infer(share_outputs=True)
        return request.get_output_tensor().data.copy()

    return System(name, lambda given: given, run, lambda _outputs, _frame: None, [frame])


def main() -> None:
    """Print a line for each size and precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5, help="for each size and precision, warm-up apart")
    parser.add_argument("--sizes", nargs="*", default=SIZES, metavar="HxW")
    parser.add_argument("--channels", type=int, default=16)
    asked = parser.parse_args()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": asked.threads,
    }
    rng = np.random.default_rng(1)
    print(f"OpenVINO {ov.__version__}, {asked.threads} threads, {asked.channels} channels")
    for size in asked.sizes:
        height, width = map(int, size.split("x"))
        frame = rng.integers(0, 256, (1, height, width, 3), np.uint8)
        whole = network(height, width, asked.channels)
        fit = [{"frame": rng.integers(0, 256, frame.shape, np.uint8)} for _ in range(2)]
        small, _ = quantize(whole, resolve("scheme", "openvino_cpu"), fit, Settings("minmax", threads=1, correct=False))
        for precision, model in (("FP32", whole), ("INT8", small)):
            networks = {
                "baked": ov.Core().read_model(model.SerializeToString()),
                "steps": with_steps(without_head(model, height, width)),
            }
            systems = [
                system(name, ov.Core().compile_model(one, "CPU", settings), frame) for name, one in networks.items()
            ]
            apart = np.abs(systems[0].engine(frame) - systems[1].engine(frame)).max()
            plan = schedule(EngineOnly(), asked.seconds)
            found = interleave(EngineOnly(), systems, plan, clock=SystemClock(), seed=0)
            ratio = paired_ratio(*(_medians(found[name]) for name in ("baked", "steps")))
            took = ", ".join(f"{name} {np.median(list(_medians(found[name]).values())) / 1e6:.3f} ms" for name in found)
            print(f"{height}x{width} {precision}: {took}; baked / steps {ratio.text(3)}; outputs apart {apart:.1e}")


def _medians(series: Series) -> dict[int, float]:
    return round_medians(series.columns()["latency_ns"], series.round_of_row(), series.judged(None))


if __name__ == "__main__":
    main()
