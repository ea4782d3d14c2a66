"""Metric: the face every metric shows. Frames are scored one by one, totals come from any collection of scores.

That split is what makes bootstrap intervals, tables per condition and streaming over large sets one and the same code.
"""

from collections.abc import Sequence
from typing import Any, Protocol


class Metric(Protocol):
    """A published measure of a task.

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
