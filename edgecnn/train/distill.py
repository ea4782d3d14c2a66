"""Distillation: the uncompressed network teaches the compressed one, by its outputs and by its inner maps.

Outputs whose softmax is what is read learn the teacher's softened distribution (Hinton et al., arXiv 1503.02531), all
others its values; of what means nothing where there is no object, such as sizes, as far as the teacher sees one. Maps
are learnt through a 1x1 convolution where the pupil's are narrower (FitNets, arXiv 1412.6550).
Both regressions are relative to the teacher's own variance, so that their weights mean the same in every network.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from edgecnn.core.compression import Distill
from edgecnn.models.answers import tensors
from edgecnn.train.features import Pair, find_pairs, watched

LEAST_VARIANCE = 1e-8


@final
class Distillation:
    """A teacher, and all that a pupil learns from it.

    Args:
        teacher: the uncompressed network; a frozen copy of it is kept.
        pupil: the network to be taught, of which only shapes are read here.
        example: inputs of one forward pass.
        weights: how strongly outputs and features count.
        logits: outputs, by place in the answer, that are logits, with the axis their softmax runs along.
        told_by: outputs, by place in the answer, that count only as far as the output at another place, probabilities
            on the same grid [N, C, ...], says that something is there.

    Attributes:
        pairs: the inner maps that are compared.
        adapters: what brings the pupil's maps to the teacher's channels; trained along with the pupil.
    """

    def __init__(
        self,
        teacher: nn.Module,
        pupil: nn.Module,
        example: tuple[Tensor, ...],
        weights: Distill,
        logits: Mapping[int, int] | None = None,
        told_by: Mapping[int, int] | None = None,
    ) -> None:
        self._teacher = copy.deepcopy(teacher).eval().requires_grad_(requires_grad=False)
        self.weights, self._logits, self._told_by = weights, dict(logits or {}), dict(told_by or {})
        self.pairs: tuple[Pair, ...] = find_pairs(pupil, teacher, example) if weights.features else ()
        self.adapters = nn.ModuleList(_adapter(pair) for pair in self.pairs)
        self._ours: dict[str, Tensor] = {}
        self._theirs: dict[str, Tensor] = {}

    def to(self, device: torch.device) -> None:
        """Move teacher and adapters to `device`."""
        self._teacher.to(device)
        self.adapters.to(device)

    @contextmanager
    def watching(self, pupil: nn.Module) -> Iterator[None]:
        """Note the pupil's inner maps in each forward pass while the block runs."""
        names = [pair.name for pair in self.pairs]
        with watched(pupil, names, self._ours), watched(self._teacher, names, self._theirs):
            yield

    def terms(self, inputs: tuple[Tensor, ...], answer: Any) -> dict[str, Tensor]:
        """Return the weighted terms `taught_outputs` and `taught_features`, scalars, for the pupil's last `answer`.

        The pupil must have made it from `inputs` within `watching`.
        """
        with torch.no_grad():
            wanted = tensors(self._teacher(*inputs))
        given = tensors(answer)
        found = {}
        if self.weights.outputs:
            losses = [self._output_loss(place, one, wanted) for place, one in enumerate(given)]
            found["taught_outputs"] = self.weights.outputs * torch.stack(losses).mean()
        if self.pairs:
            found["taught_features"] = self.weights.features * self._feature_loss()
        return found

    def _output_loss(self, place: int, given: Tensor, answer: tuple[Tensor, ...]) -> Tensor:
        wanted = answer[place].float()
        if place in self._logits:
            return softened(given.float(), wanted, self._logits[place], self.weights.temperature)
        if place in self._told_by:
            there = answer[self._told_by[place]].float().amax(1, keepdim=True)
            return relative_error_where(given.float(), wanted, there)
        return relative_error(given.float(), wanted)

    def _feature_loss(self) -> Tensor:
        losses = [
            relative_error(adapter(self._ours[pair.name]).float(), self._theirs[pair.name].float())
            for pair, adapter in zip(self.pairs, self.adapters, strict=True)
        ]
        return torch.stack(losses).mean()


def softened(given: Tensor, wanted: Tensor, axis: int, temperature: float) -> Tensor:
    """Return T^2 KL(softmax(wanted / T) || softmax(given / T)) along `axis`, T the temperature; else the mean."""
    ours, theirs = (F.log_softmax(logits / temperature, axis) for logits in (given, wanted))
    return temperature**2 * (theirs.exp() * (theirs - ours)).sum(axis).mean()


def relative_error(given: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean squared error over the variance of `wanted`."""
    return F.mse_loss(given, wanted) / wanted.var(correction=0).clamp(min=LEAST_VARIANCE)


def relative_error_where(given: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Return the mean squared error over the variance of `wanted`, where each place counts by `weight` >= 0."""
    weight = weight.expand_as(wanted) / weight.expand_as(wanted).sum().clamp(min=LEAST_VARIANCE)
    spread = (weight * (wanted - (weight * wanted).sum()) ** 2).sum()
    return (weight * (given - wanted) ** 2).sum() / spread.clamp(min=LEAST_VARIANCE)


def _adapter(pair: Pair) -> nn.Module:
    return nn.Identity() if pair.pupil == pair.teacher else nn.Conv2d(pair.pupil, pair.teacher, 1)
