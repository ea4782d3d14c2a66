"""The found objects of all frames in one order, best score first, so that any resample of frames is quickly counted."""

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgecnn.metrics.matching import Int, Matched
from edgecnn.metrics.metric import Weights


@final
class Pool:
    """What frames matched, one class together.

    A frame that counts twice gives each of its found objects twice; ties in score stay in the order of the frames.

    Args:
        frames: what each frame matched; None where it has neither found nor true objects.
        settings: which of their settings are taken.

    Attributes:
        frames: int64 [D], the frame of each found object.
        ranks: int64 [D], its place among those of its frame.
        hit, wrong: int32 [S, D], 1 where it is a true object, or no object at all.
        scores: float64 [D], falling.
    """

    def __init__(self, frames: Sequence[Matched | None], settings: slice = slice(None)) -> None:
        given = [(i, matched) for i, matched in enumerate(frames) if matched is not None]
        count = len(given[0][1].wanted[settings]) if given else 0
        self._wanted = np.zeros((count, len(frames)), np.int64)
        for i, matched in given:
            self._wanted[:, i] = matched.wanted[settings]
        scores = np.concatenate([matched.scores for _, matched in given] or [np.zeros(0)])
        order = np.argsort(-scores, kind="stable")
        lengths = [len(matched.scores) for _, matched in given]
        self.scores = scores[order]
        self.frames: Int = np.repeat([i for i, _ in given], lengths)[order].astype(np.int64)
        self.ranks: Int = np.concatenate([np.arange(n) for n in lengths] or [np.zeros(0, np.int64)])[order]
        hit = np.concatenate([matched.hit[settings] for _, matched in given] or [np.zeros((0, 0), bool)], axis=1)[
            :, order
        ]
        out = np.concatenate([matched.out[settings] for _, matched in given] or [np.zeros((0, 0), bool)], axis=1)[
            :, order
        ]
        self.hit = (hit & ~out).astype(np.int32)
        self.wrong = (~hit & ~out).astype(np.int32)

    def wanted(self, weights: Weights) -> Int:
        """Return int64 [S]: true objects that count."""
        return np.asarray(self._wanted @ weights)

    def counts(self, weights: Weights) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return right and wrong ones up to each found object, int32 [S, D] both."""
        weight = weights.astype(np.int32)[self.frames]
        return (
            np.cumsum(self.hit * weight, axis=1, dtype=np.int32),
            np.cumsum(self.wrong * weight, axis=1, dtype=np.int32),
        )
