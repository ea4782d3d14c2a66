"""The train stage."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors
import torch
from torch import Tensor, nn

from edgecnn.core import evidence
from edgecnn.core.errors import DataError, StageError
from edgecnn.core.evidence import TrainResult
from edgecnn.core.recipe import Recipe, Window
from edgecnn.core.registry import TASKS, resolve
from edgecnn.core.stage import Job
from edgecnn.core.tensor import FrameSpec
from edgecnn.data.sample import Sample
from edgecnn.data.split import LABELS_READ_BY, read_split
from edgecnn.models.build import build_model
from edgecnn.train.batch_norm import BATCHES, reestimate
from edgecnn.train.checkpoint import load_weights, save_weights
from edgecnn.train.dataset import EncodedSamples
from edgecnn.train.loop import Training, pick_device
from edgecnn.train.monitor import FigureMonitor
from edgecnn.train.prepared import prepared
from edgecnn.train.start import digest_of, start_from
from edgecnn.train.windows import Windows

WEIGHTS, RESULT = "model.safetensors", "train.json"


class TrainStage:
    """Leaves `model.safetensors` (the best averaged weights) and `train.json` (`TrainResult`)."""

    name = "train"
    needs: tuple[str, ...] = ("data",)
    code = (
        "edgecnn.train",
        "edgecnn.models",
        "edgecnn.runtime.codecs",
        "edgecnn.runtime.preprocess",
        "edgecnn.metrics",
        "edgecnn.core",
        *LABELS_READ_BY,
    )

    def parameters(self, recipe: Recipe) -> Any:
        """Return task, model, training section, seed, and the digest of the weights to start from."""
        train = msgspec.structs.replace(recipe.train, start=digest_of(recipe.train.start))
        return {"task": recipe.task, "model": recipe.model, "train": train, "seed": recipe.seed}

    def run(self, job: Job) -> None:
        """Train, or go on from the last checkpoint of a training that was killed."""
        recipe = job.recipe
        task = TASKS[recipe.task]
        data, held = lessons(job)
        torch.manual_seed(recipe.seed)
        module = build_model(recipe)
        start = None if recipe.train.start is None else start_from(recipe.train.start, module)
        monitor = FigureMonitor(held, recipe)
        loss = resolve("loss", task.loss)
        names = tuple(spec.name for spec in data.codec.outputs)
        seen = data if recipe.train.window is None else windows(data, recipe, recipe.train.window)
        progress = Training(module, seen, loss, monitor, recipe.train, recipe.seed, job.partial, names).run()
        shutil.copyfile(job.partial / "best.safetensors", job.out / WEIGHTS)
        if recipe.train.window is not None:
            see_whole_frames(module, job.out / WEIGHTS, _inputs(module, data, recipe), monitor, progress.best_figure)
        result = TrainResult(
            model=recipe.model.name,
            parameters=sum(p.numel() for p in module.parameters()),
            device=str(pick_device(recipe.train.device)),
            figure=task.figure,
            best_epoch=progress.best_epoch,
            curve=progress.curve,
            versions={"torch": str(torch.__version__), "safetensors": str(safetensors.__version__)},
            start=start,
        )
        evidence.write(job.out / RESULT, result)

    def ensures(self, out: Path) -> None:
        """Raise unless weights and learning curve are there."""
        result = evidence.read(out / RESULT, TrainResult)
        if not (out / WEIGHTS).is_file() or not result.curve:
            raise StageError(f"train: {out} holds no weights or no learning curve")


def lessons(job: Job) -> tuple[EncodedSamples, list[Sample]]:
    """Return the frames that are learnt from, with targets, and the samples kept out to choose the best epoch by.

    Prepared frames lie in the job's folder for what is partly done.

    Raises:
        DataError: there are too few.
    """
    recipe, frame = job.recipe, job.recipe.model.frame
    codec = resolve("codec", TASKS[recipe.task].codec)(recipe.model.decode, recipe.model.frame)
    shown, held = monitored(job)
    pictures = prepared(shown, frame, job.partial)
    strength, texture = recipe.train.augment, recipe.train.texture
    return EncodedSamples(shown, pictures, frame, codec, seed=recipe.seed, strength=strength, texture=texture), held


def see_whole_frames(
    module: nn.Module, weights: Path, frames: Iterator[tuple[Tensor, ...]], monitor: FigureMonitor, figure: float
) -> None:
    """Take the statistics of batch norms anew on whole frames, and keep them in `weights` if that beats their `figure`.

    Windows mostly lie around objects, so what they hold is distributed in another way than what a frame holds.
    """
    load_weights(weights, module)
    reestimate(module, frames)
    if monitor(module) > figure:
        save_weights(weights, module)


def _inputs(module: nn.Module, data: EncodedSamples, recipe: Recipe) -> Iterator[tuple[Tensor, ...]]:
    """Yield what `module` is called with for the first batches of whole frames, as they are."""
    device, size = next(module.parameters()).device, recipe.train.batch_size
    for start in range(0, min(len(data) - size + 1, BATCHES * size), size):
        frames = torch.from_numpy(np.stack([data.picture(i) for i in range(start, start + size)]))
        yield data.inputs(frames, module, device)


def windows(whole: EncodedSamples, recipe: Recipe, window: Window) -> Windows:
    """Return the windows of the frames that are trained on.

    Raises:
        DataError: they don't fit the frame or the labels.
    """
    frame = FrameSpec(window.width, window.height)
    return Windows(whole, resolve("codec", TASKS[recipe.task].codec)(recipe.model.decode, frame), window)


def monitored(job: Job) -> tuple[list[Sample], list[Sample]]:
    """Return the training samples that are learnt from, and those kept out to choose the best epoch by.

    Raises:
        DataError: there are too few.
    """
    section, samples = job.recipe.train, list(read_split(job.inputs["data"], "train", job.recipe))
    held = min(section.monitor_frames, len(samples) // 5)
    if len(samples) - held < section.batch_size or held < 1:
        raise DataError(f"{len(samples)} training frames are too few for train.batch_size {section.batch_size}")
    return samples[: len(samples) - held], samples[len(samples) - held :]
