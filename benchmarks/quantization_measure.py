"""What a quantized model is worth: error and agreement on held-out frames, latency beside FP32 in the same engine."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino
from numpy.typing import NDArray
from quantization_subjects import Subject, Truth, output_names

from edgecnn.bench.clock import SystemClock
from edgecnn.bench.engine_only import EngineOnly
from edgecnn.bench.interleave import Schedule, interleave, paired_ratio, round_medians
from edgecnn.bench.system import System
from edgecnn.core.measure import Measurement
from edgecnn.core.registry import TASKS, resolve
from edgecnn.core.tensor import TensorSpec
from edgecnn.metrics.agreement import AgreementJudge
from edgecnn.runtime.engine import Engine
from edgecnn.runtime.engines import onnxruntime as onnxruntime_engine
from edgecnn.runtime.engines import openvino as openvino_engine
from edgecnn.verify.accuracy import drop

FP32 = "FP32"


def open_engine(engine: str, file: Path, shape: tuple[int, ...], threads: int) -> Engine:
    """Open `file` as a bundle would be: float parts in f32, latency settings, `threads` threads."""
    files = [file, file.with_suffix(".bin")] if file.suffix == ".xml" else [file]
    data = {path.name: path.read_bytes() for path in files}
    inputs, outputs = _openvino_specs(file, shape) if engine == "openvino" else _onnxruntime_specs(file, shape)
    module = openvino_engine if engine == "openvino" else onnxruntime_engine
    return module.open_engine(data, inputs, outputs, {"threads": threads})


def run(engine: Engine, subject: Subject) -> list[dict[str, NDArray[Any]]]:
    """Return the engine's outputs on the held-out frames, under the float model's names in its order."""
    names, given = output_names(subject.model), engine.inputs[0].name
    found = []
    for frame in subject.held_out:
        outputs = engine.infer({given: frame[None]})
        by_place = outputs if set(outputs) >= set(names) else dict(zip(names, outputs.values(), strict=True))
        found.append({name: np.asarray(by_place[name]) for name in names})
    return found


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What is left of FP32: agreement in percent and relative error, of the worst output, and the points lost.

    `lost` is of the task's figure where there are labels, else what is missing from full agreement.
    """

    agreement: float
    rel_error: float
    lost: Measurement


def accuracy(
    reference: list[dict[str, NDArray[Any]]], candidate: list[dict[str, NDArray[Any]]], truth: Truth | None
) -> Accuracy:
    """Return what is left of `reference` in `candidate`, outputs on the same frames in the same order."""
    judge = AgreementJudge(reference)
    records = judge.records(candidate)
    agreement = judge.measure(records)["agreement"]
    if truth is not None:
        lost = _points_lost(reference, candidate, truth)
    else:
        low, high = (None if bound is None else 100 - bound for bound in (agreement.high, agreement.low))
        lost = Measurement(100 - agreement.value, "points", agreement.n, low, high, method=agreement.method)
    return Accuracy(agreement.value, max(judge.rel_error(records).values()), lost)


def _points_lost(
    reference: list[dict[str, NDArray[Any]]], candidate: list[dict[str, NDArray[Any]]], truth: Truth
) -> Measurement:
    task = TASKS[truth.task]
    codec, metric = truth.codec, resolve("metric", task.metric)()
    before, after = (
        [
            metric.score(codec.decode(given, sample.truth.width, sample.truth.height), sample.truth)
            for given, sample in zip(outputs, truth.samples, strict=True)
        ]
        for outputs in (reference, candidate)
    )
    return drop(metric, before, after, task.figure, "")


def latency(engines: dict[str, Engine], subject: Subject, plan: Schedule) -> dict[str, Measurement]:
    """Return how many times faster than FP32 each engine is, all taking turns in one process."""
    frames = [frame[None] for frame in subject.held_out[:8]]
    systems = [
        System(name, lambda frame, given=engine.inputs[0].name: {given: frame}, engine.infer, _nothing, frames)
        for name, engine in engines.items()
    ]
    series = interleave(EngineOnly(), systems, plan, clock=SystemClock(), seed=0)
    medians = {
        name: round_medians(one.columns()["latency_ns"], one.round_of_row(), one.judged(None))
        for name, one in series.items()
    }
    return {name: paired_ratio(medians[FP32], medians[name]) for name in engines}


def judged(subject: Subject, file: Path, engine: str) -> float | None:
    """Return the agreement in percent that the subject's own judge prints, or None if it has none or failed."""
    if subject.judge is None:
        return None
    command = [sys.executable, str(subject.judge), str(file), "--engine", engine]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    return float(json.loads(lines[-1])["agreement"]) if done.returncode == 0 and lines else None


def _openvino_specs(file: Path, shape: tuple[int, ...]) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    network = openvino.Core().read_model(file)
    if network.is_dynamic():
        network.reshape(list(shape))

    def specs(ports: Any) -> tuple[TensorSpec, ...]:
        return tuple(
            TensorSpec(port.any_name, tuple(port.shape), np.dtype(port.element_type.to_dtype()).name) for port in ports
        )

    return specs(network.inputs), specs(network.outputs)


def _onnxruntime_specs(file: Path, shape: tuple[int, ...]) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    dtype = np.uint8 if given.type == "tensor(uint8)" else np.float32
    arrays = session.run(None, {given.name: np.zeros(shape, dtype)})
    outputs = tuple(
        TensorSpec(value.name, array.shape, array.dtype.name)
        for value, array in zip(session.get_outputs(), arrays, strict=True)
    )
    return (TensorSpec(given.name, shape, np.dtype(dtype).name),), outputs


def _nothing(_outputs: Any, _frame: Any) -> None:
    return None
