"""A run as the stages would leave it, with plausible figures, for tests of the report. Nothing in it was measured."""

import json
from pathlib import Path

import cv2
import numpy as np
from msgspec.structs import replace

from edgecnn.core import evidence
from edgecnn.core.bundle import Artefact, DecodeSpec, Manifest, Parity, write_bundle
from edgecnn.core.compress_evidence import (
    COMPRESSION,
    CompressedStep,
    CompressResult,
    NetworkFigures,
    PruneRound,
)
from edgecnn.core.evidence import (
    BenchResult,
    BenchRun,
    Drift,
    Epoch,
    GalleryFrame,
    Gate,
    LayerDrift,
    QuantizedModel,
    QuantizeResult,
    TensorDrift,
    TrainResult,
    Verdict,
    VerifyResult,
    WeightDrift,
)
from edgecnn.core.measure import Measurement
from edgecnn.core.results import Lanes
from edgecnn.core.tensor import FrameSpec, TensorSpec
from edgecnn.data.road import RoadScenes

# name: engine, precision, median ms, accuracy, bytes
ARTEFACTS = {
    "openvino-fp32": ("openvino", "fp32", 6.31, 0.9521, 9_412_000),
    "openvino-int8": ("openvino", "int8", 2.94, 0.9489, 2_481_000),
    "onnxruntime-fp32": ("onnxruntime", "fp32", 9.12, 0.9521, 9_398_000),
    "onnxruntime-int8": ("onnxruntime", "int8", 4.47, 0.9493, 2_466_000),
}
REFERENCE = "openvino-fp32"
TAGS = ("day", "dusk", "night", "rain", "fog", "glare", "curve", "occluded", "worn")
FRAMES = 400
MACHINE = "Example CPU, 2 cores"


def make(root: Path, *, fail: bool = False, name: str = "lanes-small", frames: int = 3) -> dict[str, Path]:
    """Write the results of train, compress, quantize, verify, bench and seal below `root` and return their folders."""
    folders = {stage: root / stage for stage in ("train", "compress", "quantize", "verify", "bench", "seal")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    evidence.write(folders["train"] / "train.json", train())
    evidence.write(folders["compress"] / COMPRESSION, compress())
    evidence.write(folders["quantize"] / "quantize.json", quantize())
    verified = verify(folders["verify"], fail=fail, frames=frames)
    evidence.write(folders["verify"] / "verify.json", verified)
    benched, samples = bench()
    evidence.write(folders["bench"] / "bench.json", benched)
    np.savez_compressed(folders["bench"] / "samples.npz", **samples)
    seal(folders["seal"] / "bundle", verified, benched, name)
    return folders


def train() -> TrainResult:
    rng = np.random.default_rng(3)
    curve = []
    for epoch in range(1, 31):
        figure = 0.955 - 0.32 * np.exp(-epoch / 5) - 0.004 * max(0, epoch - 24) / 6 + rng.normal(0, 0.002)
        loss = 0.11 + 2.2 * np.exp(-epoch / 4) + rng.normal(0, 0.01)
        rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * epoch / 30))
        curve.append(Epoch(epoch, float(loss), float(rate), float(figure), 41.0 + float(rng.normal(0, 1))))
    best = max(curve, key=lambda one: one.figure or 0).epoch
    return TrainResult("lane_rows", 2_312_480, "cpu", "accuracy", best, tuple(curve), {"torch": "2.13.0"})


def compress() -> CompressResult:
    names = [f"stages.{stage}.{block}.conv1" for stage in range(4) for block in range(2)]
    wide = {name: 64 * 2 ** int(name[7]) for name in names}
    first = {name: (width, width * (8 - place) // 8) for place, (name, width) in enumerate(wide.items())}
    original = network(0.9551, None, 6.41, None, 2_312_480, 918_000_000)
    rounds = (
        PruneRound(
            goal=1.4,
            predicted=replace(ratio(1.44), how="predicted"),
            speedup=ratio(1.41),
            cut=share(0.871, 0.011),
            figure=share(0.9539, 0.008),
            parameters=1_400_000,
        ),
        PruneRound(
            goal=2.0,
            predicted=replace(ratio(2.03), how="predicted"),
            speedup=ratio(1.98),
            cut=share(0.62, 0.013),
            figure=share(0.9498, 0.008),
            parameters=802_310,
        ),
        PruneRound(
            goal=2.4,
            predicted=replace(ratio(2.41), how="predicted"),
            speedup=ratio(2.38),
            cut=share(0.41, 0.013),
            figure=share(0.9301, 0.009),
            parameters=620_110,
            kept=False,
        ),
    )
    steps = (
        CompressedStep(
            name="low_rank",
            settings={"energy": 0.99, "ranks": {}, "recover": None},
            result=network(0.9546, 0.05, 5.81, 1.10, 1_900_400, 801_000_000),
            notes=("reduce: svd of rank 48, 99.2 % of the energy, 131,072 parameters to 40,960, 0.44 of the time",),
            seconds=61.0,
        ),
        CompressedStep(
            name="prune",
            settings={"speedup": 2.0, "criterion": "taylor", "steps": 3},
            result=network(0.9498, 0.53, 3.22, 1.98, 802_310, 391_000_000),
            verdict="pruning can reach 2.00x: the fastest widths with 10% of the channels left give 4.10x",
            widths=first,
            refused={"loc": "its channels are an output of the network", "exist": "its channels are an output"},
            rounds=rounds,
            seconds=2210.0,
        ),
        CompressedStep(
            name="finetune",
            settings={"epochs": 6},
            result=network(0.9521, 0.30, 3.23, 1.98, 802_310, 391_000_000),
            curve=tuple(Epoch(i, 1.1 * 0.8**i, 1e-3 / i, 0.9521 - 0.004 / i, 30.0) for i in range(1, 7)),
            seconds=190.0,
        ),
    )
    return CompressResult(figure="accuracy", frames=FRAMES, original=original, steps=steps)


def network(
    figure: float, lost: float | None, ms: float, speedup: float | None, parameters: int, macs: int
) -> NetworkFigures:
    return NetworkFigures(
        figure=share(figure, 0.008),
        parameters=parameters,
        macs=macs,
        drop=None if lost is None else share(lost, 0.19, "points"),
        latency={"openvino": Measurement(ms, "ms", 40, ms * 0.985, ms * 1.02, on=MACHINE)},
        speedup={} if speedup is None else {"openvino": ratio(speedup)},
    )


def ratio(value: float) -> Measurement:
    return Measurement(value, "x", 40, value * 0.98, value * 1.02, on=MACHINE, method="median of interleaved pairs")


def quantize() -> QuantizeResult:
    layers = [LayerDrift(name="Sub_0", op="Sub", precision="float", snr_db=120.0, reason="it quantizes no Sub")]
    tensors = {}
    for i in range(1, 24):
        bad = i == 9
        tensor = f"act_{i}"
        tensors[tensor] = TensorDrift(
            low=-4.0,
            high=4.0,
            step=8 / 255,
            seen_min=-3.6,
            seen_max=4.1,
            clipped=0.0004,
            snr_db=12.0 if bad else 40.0 - i / 10,
            channels=64,
            outliers={"17": 103.4, "5": 6.2} if bad else {},
            median_levels=4.0 if bad else 141.0,
        )
        layers.append(
            LayerDrift(
                name=f"Conv_{i}",
                op="Conv",
                precision="int8",
                snr_db=41.0 - i - 6 * (i >= 9),
                born_db=11.0 if bad else 38.0,
                share=0.78 if bad else 0.01,
                reads=(tensor,),
                weights=WeightDrift(snr_db=41.0, channels=64, spread=9.0, worst_channel=3, worst_db=33.0),
                macs=10_000_000 + i,
            )
        )
    layers.append(LayerDrift(name="Softmax_24", op="Softmax", precision="float", snr_db=12.0, reason="sensitive"))
    drift = Drift(
        frames=8,
        layers=tuple(layers),
        tensors=tensors,
        outputs_db={"loc": 11.0, "exist": 13.0},
        shares="measured",
        parts_db=12.5,
    )
    model = QuantizedModel(
        target="openvino",
        file="openvino-int8.onnx",
        scheme="openvino_cpu",
        ranges="mse",
        frames=128,
        quantized=tuple(layer.name for layer in layers if layer.precision == "int8"),
        left_in_float={layer.name: layer.reason for layer in layers if layer.reason},
        tensors={},
        drift=drift,
    )
    other = replace(model, target="onnxruntime", file="onnxruntime-int8.onnx", scheme="onnxruntime_x86", drift=None)
    return QuantizeResult((model, other))


def verify(folder: Path, *, fail: bool, frames: int) -> VerifyResult:
    rng = np.random.default_rng(5)
    verdicts = []
    gates = []
    for artefact, (_, precision, _, accuracy, _) in ARTEFACTS.items():
        lost = 2.4 if fail and artefact == "openvino-int8" else 0.0
        value = accuracy - lost / 100
        drop = None if artefact == REFERENCE else share(100 * (0.9521 - value), 0.22, "points")
        if drop is not None and precision == "fp32":
            drop = Measurement(0.0, "points", FRAMES, -0.01, 0.01, method="paired percentile bootstrap over frames")
        tags = {
            tag: share(value - 0.002 * 1.9**i / 4 + rng.normal(0, 0.001), 0.011 + 0.003 * i, n=FRAMES // (i + 2))
            for i, tag in enumerate(TAGS)
        }
        errors = {"loc": 2.1e-6, "exist": 3.4e-6} if precision == "fp32" else {"loc": 0.061, "exist": 0.088}
        parity = Parity(errors, 1e-3 if precision == "fp32" else 0.35, 8)
        figures = {"accuracy": share(value, 0.008), "fp": share(0.061, 0.009), "fn": share(0.043, 0.008)}
        verdicts.append(Verdict(artefact, parity, figures, tags, drop))
        gates.extend(_gates(artefact, parity, value, drop))
    return VerifyResult(
        REFERENCE, "tusimple", "accuracy", FRAMES, tuple(verdicts), tuple(gates), gallery(folder, frames, rng)
    )


def _gates(artefact: str, parity: Parity, value: float, drop: Measurement | None) -> list[Gate]:
    worst, limit = max(parity.rel_error.values()), parity.tolerance
    text = f"{artefact}: output 'exist' is {worst:.2g} off the golden one (tolerance {limit:g})"
    found = [Gate(artefact, "parity", limit, worst, parity.passed, text)]
    if drop is None:
        text = f"{artefact}: accuracy {value:.4f} (min_figure 0.93)"
        return [*found, Gate(artefact, "min_figure", 0.93, value, value >= 0.93, text)]
    passed = drop.value <= 1.0
    missed = "" if passed else f", missed by {drop.value - 1.0:.2f}"
    interval = f"[{drop.low:.2f}, {drop.high:.2f}]"
    text = f"{artefact}: loses {drop.value:.2f} {interval} points of accuracy (max_drop 1{missed})"
    return [*found, Gate(artefact, "max_drop", 1.0, drop.value, passed, text)]


def share(value: float, half: float, unit: str = "", n: int = FRAMES) -> Measurement:
    method = "percentile bootstrap over frames, 1000 resamples"
    return Measurement(float(value), unit, n, float(value - half), float(value + half), on=MACHINE, method=method)


def gallery(folder: Path, count: int, rng: np.random.Generator) -> tuple[GalleryFrame, ...]:
    scenes = RoadScenes(seed=11)
    (folder / "gallery").mkdir()
    found = []
    for index in range(count):
        scene = scenes.scene(index)
        image = f"gallery/{index:06d}.jpg"
        cv2.imwrite(str(folder / image), scene.image, [cv2.IMWRITE_JPEG_QUALITY, 92])
        results = {name: moved(scene.lanes, rng, 1.0 if "fp32" in name else 3.0) for name in ARTEFACTS}
        figures = {name: 0.96 - 0.02 * index - (0.01 if "int8" in name else 0) for name in ARTEFACTS}
        why = ("ordinary", "most lost by compression", "hardest")[index % 3]
        found.append(
            GalleryFrame(
                image,
                scene.tags,
                why,
                figures,
                scene.lanes.to_json(),
                {name: result.to_json() for name, result in results.items()},
            )
        )
    return tuple(found)


def moved(lanes: Lanes, rng: np.random.Generator, reach_px: float) -> Lanes:
    lines = []
    for line in lanes.lines:
        bend = rng.normal(0, reach_px) * np.linspace(0.3, 1, len(line)) + rng.normal(0, 0.2, len(line))
        lines.append((line + np.stack([bend, np.zeros(len(line))], 1)).astype(np.float32))
    scores = np.full(len(lines), 0.9, np.float32)
    return Lanes(tuple(lines), lanes.width, lanes.height, lanes.positions, scores)


def bench() -> tuple[BenchResult, dict[str, np.ndarray]]:
    rng = np.random.default_rng(9)
    runs, samples = [], {}
    for name, (engine, precision, median_ms, _, _) in ARTEFACTS.items():
        for scenario, count in (("single_stream", 1400), ("engine_only", 1800), ("camera", 300)):
            prefix = f"{name}/{scenario}"
            part = median_ms - (0.62 if scenario == "engine_only" else 0)
            latency_ms = part * rng.lognormal(0, 0.035, count) + rng.exponential(0.05 * part, count)
            latency_ms[rng.integers(0, count, count // 90)] *= 1.5
            samples[f"{prefix}/latency_ns"] = (latency_ms * 1e6).astype(np.int64)
            samples[f"{prefix}/round"] = np.where(np.arange(count) < 40, -1, np.arange(count) // 100)
            samples[f"{prefix}/lead_in"] = (np.arange(count) % 100 < 3).astype(np.int64)
            figures, notes = _percentiles(latency_ms[40:], engine)
            figures |= _others(scenario, median_ms)
            facts = {"threads": 2, "hint": "LATENCY"} if engine == "openvino" else {"intra_op_num_threads": 2}
            runs.append(BenchRun(name, engine, precision, scenario, figures, prefix, 40, facts, notes))
    slow = ARTEFACTS["onnxruntime-fp32"][2]
    ratios = {
        f"onnxruntime-fp32 / {name}": Measurement(
            slow / row[2], "x", 20, slow / row[2] * 0.97, slow / row[2] * 1.03, method="median of per-round ratios"
        )
        for name, row in ARTEFACTS.items()
        if name != "onnxruntime-fp32"
    }
    environment = {
        "machine": {"cpu": "Example CPU", "cores": 2, "board": None, "packages": {"openvino": "2026.3.0"}},
        "plan": {"seconds": 10.0, "threads": 2},
        "frames": "golden frames resized to 1280 x 720",
        "probes": {"governor": [None, None], "cpu_mhz": [2600.0, 2598.0]},
        "disturbances": [],
        "mean_power_w": None,
    }
    harness = {"null_query_us": Measurement(1.24, "us", 4000, 1.23, 1.25, method="order statistics")}
    return BenchResult("0123456789abcdef", environment, tuple(runs), harness, ratios), samples


def _percentiles(latency_ms: np.ndarray, engine: str) -> tuple[dict[str, Measurement], tuple[str, ...]]:
    n, on, method = len(latency_ms), f"{engine}, {MACHINE}", "order statistics (exact binomial)"
    figures, notes = {}, []
    for p, needed in ((50, 6), (90, 64), (99, 662)):
        if n < needed:
            notes.append(f"p{p} refused: {n} samples, {needed} needed")
            continue
        half = 100 * 1.96 * np.sqrt(p / 100 * (1 - p / 100) / n)
        low, value, high = np.percentile(latency_ms, [max(p - half, 0), p, min(p + half, 100)])
        figures[f"p{p}_ms"] = Measurement(float(value), "ms", n, float(low), float(high), on=on, method=method)
    figures["max_ms"] = Measurement(float(latency_ms.max()), "ms", n, on=on, method="slowest sample")
    return figures, tuple(notes)


def _others(scenario: str, median_ms: float) -> dict[str, Measurement]:
    def about(value: float, unit: str, n: int) -> Measurement:
        return Measurement(value, unit, n, value * 0.97, value * 1.03, method="order statistics (exact binomial)")

    if scenario == "camera":
        return {"dropped_pct": about(0.4, "%", 300), "deadline_missed_pct": about(0.7, "%", 300)}
    if scenario == "engine_only":
        return {}
    return {
        "pre_p50_ms": about(0.41, "ms", 1300),
        "engine_p50_ms": about(median_ms - 0.62, "ms", 1300),
        "post_p50_ms": about(0.21, "ms", 1300),
        "cold_load_ms": about(180.0 + median_ms * 9, "ms", 6),
        "first_inference_ms": about(median_ms * 2.2, "ms", 6),
        "peak_memory_mib": about(142.0, "MiB", 6),
    }


def seal(path: Path, verified: VerifyResult, benched: BenchResult, name: str) -> None:
    verdicts = {verdict.artefact: verdict for verdict in verified.verdicts}
    artefacts, files = [], {"golden.npz": b"golden"}
    for artefact, (engine, precision, _, _, size) in ARTEFACTS.items():
        parts = [f"artefacts/{artefact}/model.xml", f"artefacts/{artefact}/model.bin"]
        parts = parts if engine == "openvino" else [f"artefacts/{artefact}/model.onnx"]
        files |= {part: bytes(size // len(parts) // 100) for part in parts}
        verdict = verdicts[artefact]
        latency = {
            f"{run.scenario}.{key}": figure
            for run in benched.runs
            if run.artefact == artefact
            for key, figure in run.figures.items()
        }
        artefacts.append(
            Artefact(
                artefact,
                engine,
                precision,
                tuple(parts),
                (TensorSpec("image", (1, 288, 512, 3), "uint8", "NHWC"),),
                (TensorSpec("loc", (1, 4, 56, 101), "float32"),),
                parity=verdict.parity,
                accuracy={**verdict.figures, **({"drop": verdict.drop} if verdict.drop else {})},
                latency=latency,
                passed=all(gate.passed for gate in verified.gates if gate.artefact == artefact),
                notes=("the last Gemm stays in float",) if precision == "int8" else (),
            )
        )
    recipe = {"name": name, "task": "lanes", "seed": 0, "train": {"epochs": 30}}
    provenance = {
        "edgecnn": "0.1.0",
        "recipe": recipe,
        "seed": 0,
        "versions": {"torch": "2.13.0", "onnx": "1.22.0", "numpy": "2.4.6"},
        "data": {"train": {"frames": 6000, "labels": {"label_data.json": "3f" * 32}}, "val": {"frames": FRAMES}},
        "benched_on": benched.environment,
        "note": "",
    }
    frame, decode = FrameSpec(512, 288), DecodeSpec("lane_rows", {})
    manifest = Manifest(
        name=name,
        task="lanes",
        frame=frame,
        decode=decode,
        artefacts=tuple(artefacts),
        files={},
        provenance=json.loads(json.dumps(provenance)),
    )
    write_bundle(path, manifest, files)
