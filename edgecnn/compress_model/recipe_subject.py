"""A recipe's trained network as what is compressed: labelled frames to learn from and to be judged on."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from edgecnn.compress_model.judge import FigureJudge
from edgecnn.compress_model.subject import Subject
from edgecnn.core.registry import TASKS, resolve
from edgecnn.core.stage import Job
from edgecnn.export.onnx_from_torch import export
from edgecnn.models.build import build_model
from edgecnn.train.checkpoint import load_weights
from edgecnn.train.monitor import FigureMonitor
from edgecnn.train.recover import Recovery
from edgecnn.train.stage import lessons

PACKAGES = ("torch", "torch-pruning", "onnx", "onnxscript")


def recipe_subject(job: Job, weights: Path) -> Subject:
    """Return the network that the recipe's train stage left in `weights`, with its data.

    It learns from the frames it was trained on and is judged on those that training was monitored with.
    """
    recipe, frame = job.recipe, job.recipe.model.frame
    original = build_model(recipe).eval()
    load_weights(weights, original)
    data, held = lessons(job)
    monitor = FigureMonitor(held, recipe)
    face: Any = original
    example = (torch.zeros(1, 3, frame.height, frame.width),)
    recovery = Recovery(
        data=data,
        monitor=monitor,
        base=recipe.train,
        seed=recipe.seed,
        output_names=face.output_names,
        example=example,
        loss=resolve("loss", TASKS[recipe.task].loss),
        logits=data.codec.logits,
        told_by=data.codec.told_by,
    )

    def to_onnx(module: nn.Module, opset: int) -> onnx.ModelProto:
        return export(module, frame, face.normalise, face.output_names, opset)

    versions = {name: version(name) for name in PACKAGES}
    return Subject(original, example, recovery, FigureJudge(monitor), to_onnx, versions)
