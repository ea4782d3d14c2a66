"""One layer as the product of two: which numbers go into either, and how much of the layer's answers they keep.

A layer answers y = M' z + b, with z what it reads and M its weights as a matrix [read, given]. Of rank r, the best M
is M U U' for U the r leading eigenvectors of the answers' covariance M' C M, where C is that of z; b takes up what the
mean loses. That is the principal component analysis of responses of Zhang et al. (arXiv 1505.06798, section 3.1).
Without calibration inputs C is the identity, and this the singular value decomposition of M.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from edgecnn.compress.response import Moments

Kind = Literal["svd", "channel", "spatial"]
SMALLEST = 1e-12  # of the largest eigenvalue: below it float64 holds nothing but rounding


@dataclass(frozen=True)
class Split:
    """A matrix [read, given] and the directions of its answers, most telling first.

    Attributes:
        matrix: M, float64 [read, given].
        directions: U, float64 [given, k].
        power: variance of the answers along each direction, float64 [k], falling.
        mean: of M' z, float64 [given].
    """

    matrix: Tensor
    directions: Tensor
    power: Tensor
    mean: Tensor

    def energy(self, rank: int) -> float:
        """Return the share of the answers' variance that `rank` directions keep."""
        total = float(self.power.sum())
        return float(self.power[:rank].sum()) / total if total > 0 else 1.0

    def rank_for(self, energy: float) -> int:
        """Return the smallest rank that keeps `energy`."""
        shares = self.power.cumsum(0) / self.power.sum().clamp(min=torch.finfo(torch.float64).tiny)
        return min(int((shares < energy - 1e-12).sum()) + 1, len(self.power))

    def factors(self, rank: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return (first [read, rank], second [rank, given], what to add to the bias [given])."""
        kept = self.directions[:, :rank]
        first = self.matrix @ kept
        lost = self.mean - kept @ (kept.T @ self.mean)
        # Either factor as large as the other, which is what trains best.
        size = first.norm(dim=0).clamp(min=torch.finfo(torch.float64).tiny).sqrt()
        return first / size, size[:, None] * kept.T, lost


def split_plain(matrix: Tensor) -> Split:
    """Return the split of `matrix` [read, given] by its singular values alone."""
    matrix = matrix.detach().cpu().double()
    return _of_read(matrix, matrix, torch.zeros(matrix.shape[1], dtype=torch.float64))


def split_for_read(matrix: Tensor, read: Moments) -> Split:
    """Return the best split of `matrix` [read, given] for layers that read what `read` are the moments of.

    The fewer vectors those come from, the more they are drawn to inputs that are alike in all directions.
    """
    matrix = matrix.detach().cpu().double()
    seen, doubt = read.covariance, read.doubt
    variance = seen.trace() / len(seen)
    root = _root((1 - doubt) * seen + doubt * variance * torch.eye(len(seen), dtype=torch.float64))
    return _of_read(matrix, root @ matrix, read.mean @ matrix)


def split_for_given(matrix: Tensor, bias: Tensor | None, given: Moments) -> Split:
    """Return the same as `split_for_read`, from the moments of the answers (the layer's `bias` included)."""
    matrix = matrix.detach().cpu().double()
    alike = matrix.T @ matrix
    seen, doubt = given.covariance, given.doubt
    alike *= seen.trace() / alike.trace().clamp(min=torch.finfo(torch.float64).tiny)
    mean = given.mean if bias is None else given.mean - bias.detach().cpu().double()
    return _leading(matrix, (1 - doubt) * seen + doubt * alike, mean)


def _of_read(matrix: Tensor, weighted: Tensor, mean: Tensor) -> Split:
    """Return the split of `matrix`, of which `weighted` is C^(1/2) M."""
    if matrix.shape[1] <= matrix.shape[0]:
        return _leading(matrix, weighted.T @ weighted, mean)
    power, vectors = _falling(weighted @ weighted.T)
    directions = weighted.T @ (vectors / power.sqrt())
    return Split(matrix, directions, power, mean)


def _leading(matrix: Tensor, answers: Tensor, mean: Tensor) -> Split:
    power, directions = _falling(answers)
    return Split(matrix, directions, power, mean)


def _falling(symmetric: Tensor) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues that are more than rounding, largest first, and their vectors in columns."""
    values, vectors = torch.linalg.eigh((symmetric + symmetric.T) / 2)
    values, vectors = values.flip(0), vectors.flip(1)
    count = max(int((values > SMALLEST * values[0]).sum()), 1)
    return values[:count].clamp(min=torch.finfo(torch.float64).tiny), vectors[:, :count]


def _root(symmetric: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh((symmetric + symmetric.T) / 2)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


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
