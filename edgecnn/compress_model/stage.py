"""The compress stage: the trained network through the recipe's steps, or as it is where there are none."""

import os
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import torch

from edgecnn.compress_model.layer_source import is_table
from edgecnn.compress_model.progress import STRUCTURE, WEIGHTS, save_module
from edgecnn.compress_model.recipe_subject import recipe_subject
from edgecnn.compress_model.run import STEPS, compress
from edgecnn.core import atomic, evidence
from edgecnn.core.compress_evidence import COMPRESSION, UNCOMPRESSED_FILE, CompressResult
from edgecnn.core.compression import PruneStep
from edgecnn.core.errors import InputError, StageError
from edgecnn.core.recipe import CompressStep, Recipe
from edgecnn.core.registry import TARGETS
from edgecnn.core.stage import Job
from edgecnn.core.structure import Structure
from edgecnn.core.versions import ENGINE_PACKAGES, installed
from edgecnn.data.split import LABELS_READ_BY
from edgecnn.runtime.here import why_not_here

JUDGED_IN = "onnxruntime"
"""Where verification runs the uncompressed network."""
MOST_SECONDS = 3.0
"""Longest single timing: a step has to know a network's speed to a hundredth, not to a thousandth."""


@final
class CompressStage:
    """Leaves `model.safetensors`, `structure.json` (what differs from what the code builds) and `compress.json`.

    Where there are steps, also the network as it was before them, as ONNX.
    """

    name = "compress"
    needs: tuple[str, ...] = ("data", "train")
    code = (
        "edgecnn.compress_model",
        "edgecnn.compress",
        "edgecnn.train",
        "edgecnn.models",
        "edgecnn.export",
        "edgecnn.runtime",
        "edgecnn.metrics",
        "edgecnn.verify.accuracy",
        "edgecnn.compile.specs",
        "edgecnn.bench.environment",
        "edgecnn.bench.probes",
        "edgecnn.bench.roofline",
        "edgecnn.core",
        *LABELS_READ_BY,
    )

    def parameters(self, recipe: Recipe) -> Any:
        """Return the steps and all they go by; nothing where there are none. Latency is of one machine."""
        steps = [step for step in recipe.compress if step.name in STEPS]
        if not steps:
            return {"steps": []}
        return {
            "steps": steps,
            "times": [atomic.sha256_file(table) for table in map(_table, steps) if table is not None],
            "task": recipe.task,
            "model": recipe.model,
            "train": recipe.train,
            "seed": recipe.seed,
            "targets": [target for target in recipe.targets if not why_not_here(target)],
            "bench": (recipe.bench.threads, min(recipe.bench.seconds, MOST_SECONDS)),
            "versions": {**installed(ENGINE_PACKAGES), "torch": version("torch")},
            "machine": (platform.node(), platform.processor(), os.cpu_count()),
        }

    def run(self, job: Job) -> None:
        """Compress, or go on after the last step that a killed run finished."""
        recipe, trained = job.recipe, job.inputs["train"] / WEIGHTS
        steps = [step for step in recipe.compress if step.name in STEPS]
        if not steps:
            shutil.copyfile(trained, job.out / WEIGHTS)
            evidence.write(job.out / STRUCTURE, Structure())
            evidence.write(job.out / COMPRESSION, CompressResult())
            return
        torch.manual_seed(recipe.seed)
        subject = recipe_subject(job, trained)
        seconds = min(recipe.bench.seconds, MOST_SECONDS)
        here = tuple(target for target in recipe.targets if not why_not_here(target))
        if not here:
            raise StageError("compress: no target's engine is on this machine to time layers in; add one that is")
        module, result = compress(
            subject, steps, here, job.partial / "steps", threads=recipe.bench.threads, seconds=seconds
        )
        save_module(job.out, module, subject.original)
        whole = subject.to_onnx(subject.original, TARGETS[JUDGED_IN].opset)
        atomic.write_bytes(job.out / UNCOMPRESSED_FILE, whole.SerializeToString(deterministic=True))
        evidence.write(job.out / COMPRESSION, result)

    def ensures(self, out: Path) -> None:
        """Raise unless weights, structure and evidence are there."""
        steps = evidence.read(out / COMPRESSION, CompressResult).steps
        evidence.read(out / STRUCTURE, Structure)
        if not (out / WEIGHTS).is_file():
            raise StageError(f"compress: {out} holds no weights")
        if steps and not (out / UNCOMPRESSED_FILE).is_file():
            raise StageError(f"compress: {out} holds no {UNCOMPRESSED_FILE}")


def _table(step: CompressStep) -> Path | None:
    """Return the file of a device's layer times that a step goes by."""
    if not isinstance(step.settings, PruneStep) or not is_table(step.settings.times):
        return None
    file = Path(step.settings.times)
    if not file.is_file():
        raise InputError(f"prune.times: {file}: there is no such file")
    return file
