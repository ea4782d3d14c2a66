"""What tells whether training gets anywhere: the task's figure on frames that nothing is learnt from."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import numpy as np
import torch
from torch import Tensor, nn

from edgecnn.core.recipe import Recipe
from edgecnn.core.registry import TASKS, resolve
from edgecnn.data.sample import Sample, read_image
from edgecnn.runtime.preprocess import prepare
from edgecnn.train.dataset import normalised

AsInputs: TypeAlias = Callable[[Tensor, nn.Module], tuple[Tensor, ...]]
"""Gives what a module is called with for uint8 frames [N, H, W, 3]."""


@final
class FigureMonitor:
    """The task's figure of a module on held-out training frames, read and prepared once.

    Without `as_inputs` frames are normalised as the module's own face says.
    """

    def __init__(self, samples: Sequence[Sample], recipe: Recipe, as_inputs: AsInputs | None = None) -> None:
        task = TASKS[recipe.task]
        self.truths = [sample.truth for sample in samples]
        self.images = np.stack([prepare(read_image(sample.image), recipe.model.frame) for sample in samples])
        self.codec = resolve("codec", task.codec)(recipe.model.decode, recipe.model.frame)
        self.metric = resolve("metric", task.metric)()
        self.figure, self.batch_size = task.figure, recipe.train.batch_size
        self.color, self.as_inputs = recipe.model.frame.color, as_inputs or self._normalised

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
            answer: tuple[Tensor, ...] = module(*self.as_inputs(image, module))
            named = dict(zip(face.output_names, (a.float().cpu().numpy() for a in answer), strict=True))
            for i, truth in enumerate(self.truths[start : start + self.batch_size]):
                one = {name: value[i : i + 1] for name, value in named.items()}
                scores.append(self.metric.score(self.codec.decode(one, truth.width, truth.height), truth))
        return scores

    def _normalised(self, frames: Tensor, module: nn.Module) -> tuple[Tensor, ...]:
        face: Any = module
        return (normalised(frames, face.normalise, self.color),)
