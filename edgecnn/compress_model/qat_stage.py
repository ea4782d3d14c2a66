"""The qat stage: each target's quantized model trained where the recipe says so, else as quantization left it."""

import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import onnx
import torch
from msgspec.structs import replace

from edgecnn.compress.quantize.drift import measure_drift
from edgecnn.compress.quantize.stage import DRIFT_FRAMES, training_frames
from edgecnn.compress_model.qat import Lessons, frames_as_they_are, moved, train_quantized
from edgecnn.core import atomic, evidence
from edgecnn.core.compression import QatStep
from edgecnn.core.errors import StageError
from edgecnn.core.evidence import ExportResult, QuantizedModel, QuantizeResult
from edgecnn.core.recipe import Recipe
from edgecnn.core.registry import TARGETS, TASKS, resolve
from edgecnn.core.stage import Job
from edgecnn.data.split import LABELS_READ_BY
from edgecnn.train.monitor import FigureMonitor
from edgecnn.train.stage import lessons

RESULT, RECORD = "quantize.json", "record.json"


@final
class QatStage:
    """Leaves what the quantize stage leaves, its models trained."""

    name = "qat"
    needs: tuple[str, ...] = ("data", "export", "quantize")
    code = (
        "edgecnn.compress_model.qat",
        "edgecnn.compress_model.qat_stage",
        "edgecnn.compress.quantize",
        "edgecnn.train",
        "edgecnn.models",
        "edgecnn.runtime",
        "edgecnn.metrics",
        "edgecnn.core",
        *LABELS_READ_BY,
    )

    def parameters(self, recipe: Recipe) -> Any:
        """Return the step and all it goes by; nothing where there is none."""
        step = qat_step(recipe)
        if step is None:
            return {"qat": None}
        names = ("torch", "onnx", "onnxruntime")
        return {
            "qat": step,
            "task": recipe.task,
            "model": recipe.model,
            "train": recipe.train,
            "seed": recipe.seed,
            "versions": {name: version(name) for name in names},
        }

    def run(self, job: Job) -> None:
        """Train, or pass on."""
        source = job.inputs["quantize"]
        quantized = evidence.read(source / RESULT, QuantizeResult)
        step = qat_step(job.recipe)
        if step is None or not quantized.models:
            for model in quantized.models:
                shutil.copyfile(source / model.file, job.out / model.file)
            evidence.write(job.out / RESULT, quantized)
            return
        torch.manual_seed(job.recipe.seed)
        taught, monitor = quantized_lessons(job)
        models = tuple(_kept(model, step, taught, monitor, job) for model in quantized.models)
        evidence.write(job.out / RESULT, QuantizeResult(models, {**quantized.versions, "torch": version("torch")}))

    def ensures(self, out: Any) -> None:
        """Raise unless every model that the record names is there."""
        for model in evidence.read(out / RESULT, QuantizeResult).models:
            if not (out / model.file).is_file():
                raise StageError(f"qat: {out} holds no {model.file}")


def qat_step(recipe: Recipe) -> QatStep | None:
    """Return the recipe's qat step, None if it has none."""
    found: list[Any] = [step.settings for step in recipe.compress if step.name == "qat"]
    return found[0] if found else None


def quantized_lessons(job: Job) -> tuple[Lessons, FigureMonitor]:
    """Return what the quantized networks of a recipe learn from, and what they are judged by.

    Raises:
        DataError: there are too few training frames.
    """
    recipe = job.recipe
    data, held = lessons(job)
    monitor = FigureMonitor(held, recipe, frames_as_they_are)
    loss = resolve("loss", TASKS[recipe.task].loss)
    return Lessons(data, monitor, recipe.train, recipe.seed, loss, data.codec.logits, data.codec.told_by), monitor


def _kept(model: QuantizedModel, step: QatStep, taught: Lessons, monitor: FigureMonitor, job: Job) -> QuantizedModel:
    """Train and leave the model, or what a killed run had made of it already."""
    done = job.partial / f"{model.target}-done"
    if not (done / RECORD).is_file():
        trained, record = _trained(model, step, taught, monitor, job)
        with atomic.new_folder(done) as folder:
            atomic.write_bytes(folder / model.file, trained.SerializeToString(deterministic=True))
            evidence.write(folder / RECORD, record)
    shutil.rmtree(_checkpoints(model, job), ignore_errors=True)
    shutil.copyfile(done / model.file, job.out / model.file)
    return evidence.read(done / RECORD, QuantizedModel)


def _checkpoints(model: QuantizedModel, job: Job) -> Path:
    return job.partial / model.target


def _trained(
    model: QuantizedModel, step: QatStep, taught: Lessons, monitor: FigureMonitor, job: Job
) -> tuple[onnx.ModelProto, QuantizedModel]:
    scheme = resolve("scheme", model.scheme)
    exported = evidence.read(job.inputs["export"] / "export.json", ExportResult)
    original = onnx.load(job.inputs["export"] / exported.models[str(TARGETS[model.target].opset)])
    quantized = onnx.load(job.inputs["quantize"] / model.file)
    found = train_quantized(quantized, original, scheme, taught, step, _checkpoints(model, job))
    if found.best_epoch:
        told = (
            f"trained: {monitor.figure} {found.start:.4f} before, {found.figure:.4f} after "
            f"({len(monitor.truths)} training frames kept out, epoch {found.best_epoch} of {step.epochs})"
        )
    elif found.broken:
        told = f"training broke the scheme's rules and is not kept: {found.broken[0]}"
    else:
        told = f"training was no better than {found.start:.4f} and is not kept"
    sys.stderr.write(f"  {model.target}: {told}\n")
    drift = measure_drift(
        original,
        found.model,
        training_frames(job, limit=DRIFT_FRAMES),
        frames=DRIFT_FRAMES,
        threads=job.recipe.bench.threads,
        left_in_float=model.left_in_float,
    )
    tensors = moved(model.tensors, found.scales)
    return found.model, replace(model, tensors=tensors, drift=drift, notes=(*model.notes, told))
