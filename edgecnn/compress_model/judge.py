"""What a compressed module is worth: the task's figure where there are labels, else agreement with the original."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgecnn.core.measure import Measurement, bootstrap
from edgecnn.metrics.agreement import AGREEMENT, AgreementJudge, Record
from edgecnn.models.answers import tensors
from edgecnn.train.monitor import FigureMonitor
from edgecnn.verify.accuracy import drop, figures

ON = "torch"


class Judge(Protocol):
    """Judges a module on frames that nothing is learnt from.

    Attributes:
        name: the figure's name.
        frames: how many frames there are.
    """

    name: str
    frames: int

    def scores(self, module: nn.Module) -> Sequence[Any]:
        """Return what each frame contributes; `module` is put into eval mode."""
        ...

    def figure(self, scores: Sequence[Any]) -> Measurement:
        """Return the figure over `scores` with its interval."""
        ...

    def drop(self, before: Sequence[Any], after: Sequence[Any]) -> Measurement:
        """Return how many points (hundredths) `after` is worse than `before`, paired by frame."""
        ...


@final
class FigureJudge:
    """The task's figure on labelled frames."""

    def __init__(self, monitor: FigureMonitor) -> None:
        self.name, self.frames = monitor.figure, len(monitor.truths)
        self._monitor = monitor
        self._metric = monitor.metric

    def scores(self, module: nn.Module) -> Sequence[Any]:
        """Return each frame's score by the task's metric."""
        return self._monitor.scores(module)

    def figure(self, scores: Sequence[Any]) -> Measurement:
        """Return the task's figure."""
        return figures(self._metric, scores, ON)[self.name]

    def drop(self, before: Sequence[Any], after: Sequence[Any]) -> Measurement:
        """Return the points lost."""
        return drop(self._metric, before, after, self.name, ON)


@final
class AgreementWithOriginal:
    """How far a module decides what the original decides, where nobody labelled the frames."""

    def __init__(
        self,
        original: nn.Module,
        frames: Sequence[tuple[Tensor, ...]],
        output_names: Sequence[str],
        frame_size: tuple[int, int] | None = None,
    ) -> None:
        """Take the answers of `original` to `frames`, each the inputs of one pass with a batch of one."""
        self.name, self.frames = AGREEMENT, len(frames)
        self._inputs, self._names = frames, tuple(output_names)
        self._judge = AgreementJudge(list(self._answers(original)), frame_size)

    def __call__(self, module: nn.Module) -> float:
        """Return the agreement as a fraction, so that a point of it is a hundredth, as of any figure."""
        return self._judge.score(self._answers(module)) / 100

    def scores(self, module: nn.Module) -> list[Record]:
        """Return a record a frame."""
        return self._judge.records(self._answers(module))

    def figure(self, scores: Sequence[Record]) -> Measurement:
        """Return the agreement as a fraction."""
        found = self._judge.measure(scores, ON)[AGREEMENT]
        low, high = (None if bound is None else bound / 100 for bound in (found.low, found.high))
        return Measurement(found.value / 100, "", found.n, low, high, on=ON, method=found.method)

    def drop(self, before: Sequence[Record], after: Sequence[Record]) -> Measurement:
        """Return the points of agreement lost."""

        def lost(pairs: Sequence[tuple[Record, Record]]) -> dict[str, float]:
            first, second = ([pair[place] for pair in pairs] for place in (0, 1))
            return {"drop": self._judge.totals(first)[AGREEMENT] - self._judge.totals(second)[AGREEMENT]}

        pairs = list(zip(before, after, strict=True))
        value = lost(pairs)["drop"]
        if len(pairs) == 1:
            return Measurement(value, "points", 1, on=ON)
        low, high = bootstrap(pairs, lost)["drop"]
        return Measurement(value, "points", len(pairs), low, high, on=ON, method="paired percentile bootstrap")

    @torch.inference_mode()
    def _answers(self, module: nn.Module) -> Iterator[Mapping[str, NDArray[Any]]]:
        module.eval()
        device = next(module.parameters()).device
        for inputs in self._inputs:
            given = tensors(module(*(tensor.to(device) for tensor in inputs)))
            yield {name: np.asarray(one.float().cpu()) for name, one in zip(self._names, given, strict=True)}
