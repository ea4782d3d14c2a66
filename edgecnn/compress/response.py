"""What layers read and give on calibration inputs: mean, covariance, and how the module's outputs move with it."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from edgecnn.models.answers import tensors

Side = Literal["read", "given", "columns"]
WIDEST_PULL = 1024


@dataclass
class Moments:
    """First and second moments of vectors of `size` numbers, summed up in float64."""

    size: int
    count: int = 0

    def __post_init__(self) -> None:
        self.sum = torch.zeros(self.size, dtype=torch.float64)
        self.products = torch.zeros(self.size, self.size, dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        """Take in vectors, [n, size] of any floating type."""
        rows = rows.detach().cpu().double()
        self.count += len(rows)
        self.sum += rows.sum(0)
        self.products.addmm_(rows.T, rows)

    @property
    def mean(self) -> Tensor:
        """The mean, float64 [size]."""
        return self.sum / max(self.count, 1)

    @property
    def covariance(self) -> Tensor:
        """The covariance, float64 [size, size]."""
        return self.products / max(self.count, 1) - torch.outer(self.mean, self.mean)

    @property
    def doubt(self) -> float:
        """How far from 0 to 1 the covariance is to be drawn to what is expected of it without having looked.

        Oracle approximating shrinkage (Chen et al. 2010, arXiv 0907.4698, equation 23): near 1 with fewer vectors than
        numbers in each, near 0 with many more.
        """
        seen = self.covariance
        square, trace = float((seen**2).sum()), float(seen.trace())
        spread = (self.count + 1 - 2 / self.size) * (square - trace**2 / self.size)
        if spread <= 0:
            return 1.0
        return min(1.0, ((1 - 2 / self.size) * square + trace**2) / spread)


def rows_of(module: nn.Conv2d | nn.Linear, side: Side, read: Tensor, given: Tensor) -> Tensor:
    """Return the vectors [n, size] of one call of a layer, a row for every place and frame.

    `read` are the channels that go in, `given` those that come out, and `columns` the (channel, row) values under the
    kernel's height at one column of what is read, padding included.
    """
    if side == "given":
        return _channels_last(module, given)
    if side == "read" or isinstance(module, nn.Linear):
        return _channels_last(module, read)
    height, down, gap = module.kernel_size[0], module.stride[0], module.dilation[0]
    pad = module.padding[0] if isinstance(module.padding, tuple) else gap * (height - 1) // 2
    columns = F.unfold(read, (height, 1), (gap, 1), (int(pad), 0), (down, 1))
    return columns.transpose(1, 2).reshape(-1, columns.shape[1])


def _channels_last(module: nn.Conv2d | nn.Linear, x: Tensor) -> Tensor:
    x = x.movedim(1, -1) if isinstance(module, nn.Conv2d) else x
    return x.reshape(-1, x.shape[-1])


@dataclass(frozen=True)
class Responses:
    """What was gathered.

    Attributes:
        moments: by layer name and side.
        pull: by layer name, how the outputs move with what a layer gives: the sum of g g', float64 [given, given], or
            of g^2, [given], where that is wide; g is the derivative of a random projection of the outputs, each in
            units of its own spread. Missing where nothing could be derived.
    """

    moments: dict[tuple[str, Side], Moments]
    pull: dict[str, Tensor]


def gather(module: nn.Module, sides: dict[str, dict[Side, int]], inputs: list[tuple[Tensor, ...]]) -> Responses:
    """Run `module` forward and backward on every one of `inputs` and return what its layers read and gave.

    `sides` gives, per layer name, the sides and the size of their vectors. The module is put into eval mode.
    """
    found = {(name, side): Moments(size) for name, wanted in sides.items() for side, size in wanted.items()}
    pull: dict[str, Tensor] = {}
    layers = dict(module.named_modules())
    asked = {parameter: parameter.requires_grad for parameter in module.parameters()}
    signs = torch.Generator().manual_seed(0)

    def note(name: str, layer: nn.Module, read: tuple[Tensor, ...], given: Tensor) -> None:
        assert isinstance(layer, (nn.Conv2d, nn.Linear))  # noqa: S101 - no others are asked for
        for side in sides[name]:
            found[name, side].add(rows_of(layer, side, read[0], given))
        if given.requires_grad:
            given.register_hook(partial(_pulled, pull, name, layer))  # type: ignore[no-untyped-call]

    handles = [layers[name].register_forward_hook(partial(note, name)) for name in sides]
    module.eval().requires_grad_()
    try:
        for batch in inputs:
            with torch.enable_grad():
                _project(tensors(module(*batch)), signs)
    finally:
        for handle in handles:
            handle.remove()
        for parameter, was in asked.items():
            parameter.requires_grad_(was).grad = None
    return Responses(found, pull)


def _pulled(pull: dict[str, Tensor], name: str, layer: nn.Conv2d | nn.Linear, gradient: Tensor) -> None:
    rows = _channels_last(layer, gradient.detach().cpu().double())
    size = rows.shape[1]
    seen = rows.T @ rows if size <= WIDEST_PULL else (rows**2).sum(0)
    pull[name] = pull[name] + seen if name in pull else seen


def _project(outputs: tuple[Tensor, ...], signs: torch.Generator) -> None:
    """Derive the sum of all outputs that can be derived, each number with a random sign (Hutchinson's estimator)."""
    total = None
    for output in outputs:
        if output.requires_grad:
            sign = torch.randint(0, 2, output.shape, generator=signs).to(output) * 2 - 1
            part = (output * sign).sum() / output.detach().std().clamp(min=1e-12)
            total = part if total is None else total + part
    if total is not None:
        total.backward()  # type: ignore[no-untyped-call]
