"""Metric: the face every metric shows. Frames are scored one by one, totals come from any collection of scores.

That split is what makes bootstrap intervals, tables per condition and streaming over large sets one and the same code.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Weights: TypeAlias = NDArray[np.int64]
Totals: TypeAlias = Callable[[Weights], dict[str, float]]


class Metric(Protocol):
    """A published measure of a task.

    A figure of which the frames hold nothing (no object of that size, no lane at all) is NaN: undefined, not bad.

    Attributes:
        name: its name in the registry.
        higher_is_better: by figure.
    """

    name: str
    higher_is_better: dict[str, bool]

    def score(self, prediction: Any, truth: Any) -> Any:
        """Return what one frame contributes."""
        ...

    def totals(self, scores: Sequence[Any]) -> dict[str, float]:
        """Return the published figures over the frames whose scores are given (at least one)."""
        ...


@runtime_checkable
class Weighable(Protocol):
    """A metric that sorts its frames once and then tells the totals of any resample of them quickly."""

    def weighted(self, scores: Sequence[Any], only: Collection[str] = ()) -> Totals:
        """Return what gives the figures when frame i counts `weights[i]` times, int64 [N].

        Where `only` names some, others may be left out.
        """
        ...


def totals_by_weight(metric: Metric, scores: Sequence[Any], only: Collection[str] = ()) -> Totals:
    """Return what gives the metric's figures when frame i counts `weights[i]` times; the quick way where it has one."""
    if isinstance(metric, Weighable):
        return metric.weighted(scores, only)

    def repeated(weights: Weights) -> dict[str, float]:
        return metric.totals([scores[i] for i in np.repeat(np.arange(len(scores)), weights).tolist()])

    return repeated


def defined(figures: Mapping[str, float]) -> dict[str, float]:
    """Return the figures that are not NaN."""
    return {name: value for name, value in figures.items() if not np.isnan(value)}
