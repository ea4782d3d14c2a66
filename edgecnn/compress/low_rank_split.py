"""One layer as the product of two: which numbers go into either, and how much of the layer's answers they keep.

A layer answers y = M' z + b, with z what it reads and M its weights as a matrix [read, given]. Of rank r, the best M
is M U U' for U the r leading eigenvectors of the answers' covariance M' C M, where C is that of z; b takes up what the
mean loses. That is the principal component analysis of responses of Zhang et al. (arXiv 1505.06798, section 3.1).
Where errors count by a metric |R e|, the same holds of M R, and the second factor is U' R^-1. Without calibration
inputs C and R are the identity, and this the singular value decomposition of M.
"""

from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from torch import Tensor, nn

from edgecnn.compress.response import Moments

Kind = Literal["svd", "channel", "spatial"]
SMALLEST = 1e-12  # of the largest eigenvalue: below it float64 holds nothing but rounding
TINY = 1e-300
APART, LEAST_PULL = 0.1, 1e-3
"""Derivatives tell of small errors only: of the metric a share sees each channel by itself, and none counts nothing."""


@final
class Metric:
    """How much an error of a layer's answers counts: |R e|, where R'R says how strongly the outputs move with it.

    That is the Gauss-Newton matrix of the outputs (as in K-FAC, arXiv 1503.05671). So a channel counts for as much as a
    batch norm behind it makes of it, and one that nobody reads for nearly nothing.
    """

    def __init__(self, pull: Tensor | None = None) -> None:
        """Take `pull`, the second moments of the outputs' derivatives, [given, given] or [given]; None: all alike."""
        if pull is not None and not float(pull.sum()) > 0:
            pull = None
        self._diagonal = pull is None or pull.ndim == 1
        if pull is None:
            self._root = self._inverse = torch.ones(1, dtype=torch.float64)
        elif pull.ndim == 1:
            blend = pull / pull.mean() + LEAST_PULL
            self._root, self._inverse = blend.sqrt(), blend.rsqrt()
        else:
            own = pull.diagonal()
            blend = ((1 - APART) * pull + APART * own.diag()) / own.mean()
            blend = blend + LEAST_PULL * torch.eye(len(pull), dtype=torch.float64)
            self._root, self._inverse = power_of(blend, 0.5), power_of(blend, -0.5)

    def apply(self, rows: Tensor) -> Tensor:
        """Return R x for every row x of [n, given], or [n, given x width], a channel's columns side by side."""
        return self._by(self._root, rows)

    def undo(self, rows: Tensor) -> Tensor:
        """Return what `apply` makes `rows` of."""
        return self._by(self._inverse, rows)

    def _by(self, factor: Tensor, rows: Tensor) -> Tensor:
        if len(factor) == 1:
            return rows
        channels = rows.reshape(len(rows), len(factor), -1)
        given = channels * factor[:, None] if self._diagonal else torch.einsum("ngw,gh->nhw", channels, factor)
        return given.reshape(rows.shape)


@dataclass(frozen=True)
class Split:
    """A matrix [read, given] and the directions of its answers, most telling first.

    Attributes:
        matrix: M R, float64 [read, given].
        directions: U, float64 [given, k].
        power: variance of the answers along each direction, float64 [k], falling.
        mean: of R M' z, float64 [given].
        metric: R.
    """

    matrix: Tensor
    directions: Tensor
    power: Tensor
    mean: Tensor
    metric: Metric

    def energy(self, rank: int) -> float:
        """Return the share of the answers' variance that `rank` directions keep."""
        total = float(self.power.sum())
        return float(self.power[:rank].sum()) / total if total > 0 else 1.0

    def rank_for(self, energy: float) -> int:
        """Return the smallest rank that keeps `energy`."""
        shares = self.power.cumsum(0) / self.power.sum().clamp(min=TINY)
        return min(int((shares < energy - 1e-12).sum()) + 1, len(self.power))

    def factors(self, rank: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return (first [read, rank], second [rank, given], what to add to the bias [given])."""
        kept = self.directions[:, :rank]
        first, second = self.matrix @ kept, self.metric.undo(kept.T)
        lost = self.metric.undo((self.mean - kept @ (kept.T @ self.mean))[None])[0]
        # Either factor as large as the other, which is what trains best.
        size = (first.norm(dim=0).clamp(min=TINY) / second.norm(dim=1).clamp(min=TINY)).sqrt()
        return first / size, size[:, None] * second, lost


def split_plain(matrix: Tensor) -> Split:
    """Return the split of `matrix` [read, given] by its singular values alone."""
    matrix, metric = matrix.detach().cpu().double(), Metric()
    return _of_read(matrix, matrix, torch.zeros(matrix.shape[1], dtype=torch.float64), metric)


def split_for_read(matrix: Tensor, read: Moments, metric: Metric) -> Split:
    """Return the best split of `matrix` [read, given] for layers that read what `read` are the moments of.

    The fewer vectors those come from, the more they are drawn to inputs that are alike in all directions.
    """
    matrix = metric.apply(matrix.detach().cpu().double())
    seen, doubt = read.covariance, read.doubt
    variance = seen.trace() / len(seen)
    root = power_of((1 - doubt) * seen + doubt * variance * torch.eye(len(seen), dtype=torch.float64), 0.5)
    return _of_read(matrix, root @ matrix, read.mean @ matrix, metric)


def split_for_given(matrix: Tensor, bias: Tensor | None, given: Moments, metric: Metric) -> Split:
    """Return the same as `split_for_read`, from the moments of the answers (the layer's `bias` included)."""
    matrix = matrix.detach().cpu().double()
    alike = matrix.T @ matrix
    seen, doubt = given.covariance, given.doubt
    alike *= seen.trace() / alike.trace().clamp(min=TINY)
    answers = metric.apply(metric.apply((1 - doubt) * seen + doubt * alike).T)
    mean = given.mean if bias is None else given.mean - bias.detach().cpu().double()
    power, directions = _falling(answers)
    return Split(metric.apply(matrix), directions, power, metric.apply(mean[None])[0], metric)


def _of_read(matrix: Tensor, weighted: Tensor, mean: Tensor, metric: Metric) -> Split:
    """Return the split of `matrix`, of which `weighted` is C^(1/2) M."""
    if matrix.shape[1] <= matrix.shape[0]:
        power, directions = _falling(weighted.T @ weighted)
        return Split(matrix, directions, power, mean, metric)
    power, vectors = _falling(weighted @ weighted.T)
    return Split(matrix, weighted.T @ (vectors / power.sqrt()), power, mean, metric)


def _falling(symmetric: Tensor) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues that are more than rounding, largest first, and their vectors in columns."""
    values, vectors = torch.linalg.eigh((symmetric + symmetric.T) / 2)
    values, vectors = values.flip(0), vectors.flip(1)
    count = max(int((values > SMALLEST * values[0]).sum()), 1)
    return values[:count].clamp(min=TINY), vectors[:, :count]


def power_of(symmetric: Tensor, exponent: float) -> Tensor:
    """Return a symmetric positive matrix to the power of `exponent`."""
    values, vectors = torch.linalg.eigh((symmetric + symmetric.T) / 2)
    found: Tensor = (vectors * values.clamp(min=TINY if exponent < 0 else 0) ** exponent) @ vectors.T
    return found


def as_matrix(layer: nn.Conv2d | nn.Linear, kind: Kind) -> Tensor:
    """Return the layer's weights as M [read, given] of the given kind of split."""
    weight = layer.weight.detach()
    if kind == "spatial":  # [O, C, h, w] -> [(C, h), (O, w)]
        return weight.permute(1, 2, 0, 3).reshape(weight.shape[1] * weight.shape[2], -1)
    return weight.flatten(1).T


def pair(layer: nn.Conv2d | nn.Linear, kind: Kind, found: Split, rank: int) -> nn.Sequential:
    """Return the two layers of `rank` that stand for `layer`, in its dtype and on its device.

    `svd` is two linear layers (or 1x1 convolutions); `channel` the layer with `rank` channels, then a 1x1 convolution
    (arXiv 1505.06798); `spatial` a convolution along the height, then one along the width (arXiv 1405.3866).
    """
    first, second, lost = found.factors(rank)
    biased = layer.bias is not None or bool(lost.abs().max() > 0)
    if isinstance(layer, nn.Linear):
        layers: tuple[nn.Linear | nn.Conv2d, nn.Linear | nn.Conv2d] = (
            nn.Linear(layer.in_features, rank, bias=False),
            nn.Linear(rank, layer.out_features, bias=biased),
        )
        weights = first.T, second.T
    else:
        layers = _convolutions(layer, kind, rank, biased=biased)
        shapes = [each.weight.shape for each in layers]
        weights = first.T.reshape(shapes[0]), second.T.reshape(shapes[1])
        if kind == "spatial":
            outputs, width = layer.out_channels, layer.kernel_size[1]
            weights = weights[0], second.reshape(rank, outputs, width).transpose(0, 1)[:, :, None, :]
            lost = lost.reshape(outputs, width).sum(1)
    with torch.no_grad():
        for each, weight in zip(layers, weights, strict=True):
            each.weight.copy_(weight)
        bias = layers[1].bias
        if bias is not None:
            bias.copy_(lost if layer.bias is None else layer.bias.detach().cpu().double() + lost)
    both = nn.Sequential(*layers).to(layer.weight.device, layer.weight.dtype)
    return both.train(layer.training)


def _convolutions(layer: nn.Conv2d, kind: Kind, rank: int, *, biased: bool) -> tuple[nn.Conv2d, nn.Conv2d]:
    (height, width), (down, right), (gap_y, gap_x) = layer.kernel_size, layer.stride, layer.dilation
    inputs, outputs = layer.in_channels, layer.out_channels
    pad: Any = layer.padding  # torch types what it stores more loosely than what it takes
    mode: Any = layer.padding_mode
    if kind != "spatial":
        first = nn.Conv2d(
            inputs, rank, (height, width), (down, right), pad, (gap_y, gap_x), bias=False, padding_mode=mode
        )
        return first, nn.Conv2d(rank, outputs, 1, bias=biased)
    above, beside = (pad, pad) if isinstance(pad, str) else ((pad[0], 0), (0, pad[1]))
    first = nn.Conv2d(inputs, rank, (height, 1), (down, 1), above, (gap_y, 1), bias=False, padding_mode=mode)
    second = nn.Conv2d(rank, outputs, (1, width), (1, right), beside, (1, gap_x), bias=biased, padding_mode=mode)
    return first, second
