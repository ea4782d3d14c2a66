"""What pruned networks are worth: accuracy on held-out frames in the engine that runs them, latency in one race."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import onnx
from pruning_contenders import ORIGINAL, Contest, Made
from torch import nn

from edgecnn.bench.clock import SystemClock
from edgecnn.bench.engine_only import EngineOnly
from edgecnn.bench.interleave import Schedule, interleave, round_medians
from edgecnn.bench.system import System
from edgecnn.compile.specs import tensor_specs
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.schemes.find import scheme_for
from edgecnn.core.errors import InputError
from edgecnn.core.registry import TARGETS, TASKS, resolve
from edgecnn.runtime.engine import Engine

FP32, INT8 = "FP32", "INT8"
Key = tuple[str, str, str]
"""Contender, engine, precision."""
Rounds = Mapping[int, float]
"""The median time in each round, by its number."""


def models(
    contest: Contest, made: dict[str, Made], precisions: dict[str, tuple[str, ...]]
) -> dict[Key, onnx.ModelProto]:
    """Return every contender as ONNX for both engines, in INT8 too where `precisions` asks for it."""
    found: dict[Key, onnx.ModelProto] = {}
    for target in ("openvino", "onnxruntime"):
        for name, one in made.items():
            model = contest.trained.subject.to_onnx(one.module, TARGETS[target].opset)
            found[name, target, FP32] = model
            if INT8 in precisions.get(name, ()):
                print(f"{contest.trained.name}: {name}, INT8 for {target} ...", file=sys.stderr, flush=True)
                found[name, target, INT8] = _int8(contest, model, target)
    return found


def _int8(contest: Contest, model: onnx.ModelProto, target: str) -> onnx.ModelProto:
    trained = contest.trained
    section = trained.recipe.quantize
    frames = [{"image": picture} for picture in trained.calibration]
    names = () if section is None else section.keep_float
    try:
        settings = Settings("auto", names, contest.threads)
        return quantize(model, scheme_for(target), frames, settings)[0]
    except InputError:
        # A pattern of nodes to keep in float means none once the network was changed.
        return quantize(model, scheme_for(target), frames, Settings("auto", threads=contest.threads))[0]


@contextmanager
def opened(found: dict[Key, onnx.ModelProto], threads: int) -> Iterator[dict[Key, Engine]]:
    """Yield every model loaded in its engine, and close them."""
    engines: dict[Key, Engine] = {}
    try:
        for key, model in found.items():
            open_engine = resolve("engine", TARGETS[key[1]].engine)
            files = {"model.onnx": model.SerializeToString()}
            engines[key] = open_engine(files, *tensor_specs(model), {"threads": threads})
        yield engines
    finally:
        for engine in engines.values():
            engine.close()


def scores(contest: Contest, engine: Engine) -> list[Any]:
    """Return what each held-out frame scores by the task's metric."""
    trained = contest.trained
    task = TASKS[trained.recipe.task]
    model, metric = trained.recipe.model, resolve("metric", task.metric)()
    codec = resolve("codec", task.codec)(model.decode, model.frame)
    found = []
    for frame, truth in zip(trained.frames, trained.truths, strict=True):
        decoded = codec.decode(engine.infer({"image": frame}), truth.width, truth.height)
        found.append(metric.score(decoded, truth))
    return found


def race(contest: Contest, engines: dict[Key, Engine], plan: Schedule) -> dict[Key, Rounds]:
    """Return the median nanoseconds of every engine in each round, all taking turns in one process.

    A turn is long against what idle threads of the engine before it may still burn.
    """
    feeds = {"image": contest.trained.frames[0]}
    names = {" ".join(key): key for key in engines}
    systems = [System(name, lambda frame: frame, engines[key].infer, _nothing, [feeds]) for name, key in names.items()]
    found = interleave(EngineOnly(), systems, plan, clock=SystemClock(), seed=0)
    return {
        names[name]: round_medians(one.columns()["latency_ns"], one.round_of_row(), one.judged(None))
        for name, one in found.items()
    }


def _nothing(_outputs: Any, _frame: Any) -> None:
    return None


def parameters(module: nn.Module) -> int:
    """Return the number of weights and biases."""
    return sum(parameter.numel() for parameter in module.parameters())


def reference(target: str) -> Key:
    """Return what all in `target`'s engine are compared with."""
    return (ORIGINAL, target, FP32)
