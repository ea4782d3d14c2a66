"""What tells whether training gets anywhere: the task's figure on frames that nothing is learnt from."""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from edgecnn.core.recipe import Recipe
from edgecnn.core.registry import TASKS, resolve
from edgecnn.data.sample import Sample, read_image
from edgecnn.runtime.preprocess import prepare
from edgecnn.train.dataset import normalised


@final
class FigureMonitor:
    """The task's figure of a module on held-out training frames, read and prepared once."""

    def __init__(self, samples: Sequence[Sample], recipe: Recipe) -> None:
        task = TASKS[recipe.task]
        self.truths = [sample.truth for sample in samples]
        self.images = np.stack([prepare(read_image(sample.image), recipe.model.frame) for sample in samples])
        self.codec = resolve("codec", task.codec)(recipe.model.decode)
        self.metric = resolve("metric", task.metric)()
        self.figure, self.batch_size = task.figure, recipe.train.batch_size
        self.color = recipe.model.frame.color

    def __call__(self, module: nn.Module) -> float:
        """Return the figure, signed so that greater is better."""
        value = float(self.metric.totals(self.scores(module))[self.figure])
        return value if self.metric.higher_is_better[self.figure] else -value

    @torch.inference_mode()
    def scores(self, module: nn.Module) -> list[Any]:
        """Return what each frame contributes to the metric; `module` is put into eval mode."""
        module.eval()
        face: Any = module
        device = next(module.parameters()).device
        scores = []
        for start in range(0, len(self.truths), self.batch_size):
            image = torch.from_numpy(self.images[start : start + self.batch_size]).to(device)
            answer: tuple[Tensor, ...] = module(normalised(image, face.normalise, self.color))
            named = dict(zip(face.output_names, (a.float().cpu().numpy() for a in answer), strict=True))
            for i, truth in enumerate(self.truths[start : start + self.batch_size]):
                one = {name: value[i : i + 1] for name, value in named.items()}
                scores.append(self.metric.score(self.codec.decode(one, truth.width, truth.height), truth))
        return scores
