"""The train stage."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from torch import Tensor, nn

from edgecnn.core import evidence
from edgecnn.core.errors import DataError, StageError
from edgecnn.core.evidence import TrainResult
from edgecnn.core.recipe import Recipe
from edgecnn.core.registry import TASKS, resolve
from edgecnn.core.stage import Job
from edgecnn.core.tensor import FrameSpec
from edgecnn.data.sample import Sample, read_image
from edgecnn.data.split import LABELS_READ_BY, read_split
from edgecnn.models.build import build_model
from edgecnn.runtime.preprocess import prepare
from edgecnn.train.dataset import EncodedSamples, normalised
from edgecnn.train.loop import Training, pick_device
from edgecnn.train.prepared import prepared

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
        """Return task, model, training section and seed."""
        return {"task": recipe.task, "model": recipe.model, "train": recipe.train, "seed": recipe.seed}

    def run(self, job: Job) -> None:
        """Train, or go on from the last checkpoint of a training that was killed."""
        recipe = job.recipe
        task = TASKS[recipe.task]
        codec = resolve("codec", task.codec)(recipe.model.decode)
        samples = list(read_split(job.inputs["data"], "train"))
        held = min(recipe.train.monitor_frames, len(samples) // 5)
        if len(samples) - held < recipe.train.batch_size or held < 1:
            raise DataError(
                f"{len(samples)} training frames are too few for train.batch_size {recipe.train.batch_size}"
            )
        torch.manual_seed(recipe.seed)
        module = build_model(recipe)
        frame, shown = recipe.model.frame, samples[: len(samples) - held]
        pictures = prepared(shown, frame, job.partial)
        data = EncodedSamples(shown, pictures, frame, codec, seed=recipe.seed, strength=recipe.train.augment)
        monitor = FigureMonitor(samples[len(samples) - held :], recipe)
        loss = resolve("loss", task.loss)
        names = tuple(spec.name for spec in codec.outputs)
        progress = Training(module, data, loss, monitor, recipe.train, recipe.seed, job.partial, names).run()
        shutil.copyfile(job.partial / "best.safetensors", job.out / WEIGHTS)
        result = TrainResult(
            model=recipe.model.name,
            parameters=sum(p.numel() for p in module.parameters()),
            device=str(pick_device(recipe.train.device)),
            figure=task.figure,
            best_epoch=progress.best_epoch,
            curve=progress.curve,
            versions={"torch": str(torch.__version__), "safetensors": str(safetensors.__version__)},
        )
        evidence.write(job.out / RESULT, result)

    def ensures(self, out: Path) -> None:
        """Raise unless weights and learning curve are there."""
        result = evidence.read(out / RESULT, TrainResult)
        if not (out / WEIGHTS).is_file() or not result.curve:
            raise StageError(f"train: {out} holds no weights or no learning curve")


class FigureMonitor:
    """The task's figure of a module on held-out training frames, read and prepared once."""

    def __init__(self, samples: Sequence[Sample], recipe: Recipe) -> None:
        task = TASKS[recipe.task]
        self.truths = [sample.truth for sample in samples]
        self.images = np.stack([_prepared(sample, recipe.model.frame) for sample in samples])
        self.codec = resolve("codec", task.codec)(recipe.model.decode)
        self.metric = resolve("metric", task.metric)()
        self.figure, self.batch_size = task.figure, recipe.train.batch_size
        self.color = recipe.model.frame.color

    @torch.inference_mode()
    def __call__(self, module: nn.Module) -> float:
        """Return the figure, signed so that greater is better."""
        module.eval()
        device = next(module.parameters()).device
        scores = []
        for start in range(0, len(self.truths), self.batch_size):
            image = torch.from_numpy(self.images[start : start + self.batch_size]).to(device)
            answer: tuple[Tensor, ...] = module(normalised(image, module.normalise, self.color))
            named = dict(zip(module.output_names, (a.float().cpu().numpy() for a in answer), strict=True))  # type: ignore[arg-type]
            for i, truth in enumerate(self.truths[start : start + self.batch_size]):
                one = {name: value[i : i + 1] for name, value in named.items()}
                scores.append(self.metric.score(self.codec.decode(one, truth.width, truth.height), truth))
        value = float(self.metric.totals(scores)[self.figure])
        return value if self.metric.higher_is_better[self.figure] else -value


def _prepared(sample: Sample, frame: FrameSpec) -> Any:
    return prepare(read_image(sample.image), frame)
