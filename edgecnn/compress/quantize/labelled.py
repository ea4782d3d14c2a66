"""A judge with labels: the task's own figure of what a candidate's outputs say, on training frames kept for it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

from edgecnn.compress.quantize.candidate import Outputs
from edgecnn.core.registry import TASKS, resolve
from edgecnn.core.tensor import FrameSpec
from edgecnn.data.sample import Sample


@final
class LabelJudge:
    """Gives the task's figure in points (hundredths), turned so that more is better."""

    def __init__(self, task_name: str, decode: Mapping[str, Any], frame: FrameSpec, samples: Sequence[Sample]) -> None:
        """Judge on `samples`; outputs come in their order. The task's codec is made from `decode` and `frame`."""
        task = TASKS[task_name]
        self._codec = resolve("codec", task.codec)(decode, frame)
        self._metric = resolve("metric", task.metric)()
        self._figure, self._samples = task.figure, samples
        self._sign = 1.0 if self._metric.higher_is_better[task.figure] else -1.0

    def score(self, outputs: Iterable[Outputs]) -> float:
        """Return the figure over all frames, in points; the negative of it where less is better."""
        scores: list[Any] = []
        for given, sample in zip(outputs, self._samples, strict=True):
            truth = sample.truth
            scores.append(self._metric.score(self._codec.decode(given, truth.width, truth.height), truth))
        return self._sign * 100 * float(self._metric.totals(scores)[self._figure])
