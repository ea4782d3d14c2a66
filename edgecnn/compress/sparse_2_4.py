"""2:4 sparsity: of every four weights along the input channels two are zero (Mishra et al., arXiv 2104.08378).

NVIDIA's tensor cores skip the zeros; TensorRT looks for them along C of a convolution's weights [K, C, R, S] and along
the inputs of a matrix product. Zeros are a permission, not a speed-up: whether a layer runs sparse is the engine's
choice, layer by layer, and only its own inspector tells. No other engine that edgecnn knows makes use of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgecnn.compress.quantize.correction import lattice
from edgecnn.core.errors import InputError
from edgecnn.core.registry import nearest

GROUP, KEPT = 4, 2
CONFIRMED_BY = "permission only: TensorRT's engine inspector tells which layers run sparse"


def is_2_4(weight: Tensor) -> bool:
    """Return whether `weight` [K, C, ...] has at least two zeros in every four along C; C must be a multiple of 4."""
    return lattice.is_2_4(weight.detach().cpu().numpy())


def mask_2_4(weight: Tensor) -> Tensor:
    """Return which weights to keep, bool like `weight` [K, C, ...]: the two largest of every four along C.

    Of equal ones the first are kept, so that the same weights give the same mask everywhere.

    Raises:
        InputError: C is no multiple of 4.
    """
    if weight.ndim < 2 or weight.shape[1] % GROUP:
        raise InputError(f"2:4 needs input channels in multiples of {GROUP}; the weight is {list(weight.shape)}")
    fours = _fours(weight.detach()).abs()
    order = fours.sort(dim=-1, descending=True, stable=True).indices
    kept = torch.zeros_like(fours, dtype=torch.bool).scatter_(-1, order[..., :KEPT], value=True)
    return kept.flatten(-2).movedim(-1, 1).contiguous()


def _fours(weight: Tensor) -> Tensor:
    """Return [K, ..., C / 4, 4]."""
    last = weight.movedim(1, -1)
    return last.reshape(*last.shape[:-1], -1, GROUP)


@dataclass(frozen=True)
class Sparsity:
    """The masks of a module's layers, kept while it trains: call `apply` after each optimizer step.

    Attributes:
        masks: by layer name, bool like the layer's weight.
        refused: by layer name, why it stays dense.
    """

    masks: dict[str, Tensor]
    refused: dict[str, str]

    @torch.no_grad()
    def apply(self, module: nn.Module) -> None:
        """Set the masked weights of `module` to zero, in place."""
        for name, mask in self.masks.items():
            weight = _weight(module, name)
            weight.mul_(mask.to(weight.device))

    def holds(self, module: nn.Module) -> bool:
        """Return whether every layer of the masks is 2:4 in `module`."""
        return all(is_2_4(_weight(module, name)) for name in self.masks)

    def share(self, module: nn.Module) -> float:
        """Return the share of the module's parameters that the masks silence."""
        silent = sum(int((~mask).sum()) for mask in self.masks.values())
        return silent / max(sum(parameter.numel() for parameter in module.parameters()), 1)


def sparsify(module: nn.Module, keep_dense: Iterable[str] = ()) -> Sparsity:
    """Choose by magnitude what each layer loses and set it to zero in place; train on with the result's `apply`.

    Linear layers and convolutions take part, but for those named in `keep_dense`, grouped ones and those whose input
    channels are no multiple of 4, which tensor cores can't run sparse.

    Raises:
        InputError: `keep_dense` names what is no linear or convolution layer.
    """
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))}
    dense = set(keep_dense)
    for name in sorted(dense - set(layers)):
        raise InputError(f"2:4: the model has no linear or convolution layer '{name}'{nearest(name, layers)}")
    masks, refused = {}, {}
    for name, layer in layers.items():
        reason = "the recipe keeps it dense" if name in dense else _refusal(layer)
        if reason:
            refused[name] = reason
        else:
            masks[name] = mask_2_4(layer.weight)
    found = Sparsity(masks, refused)
    found.apply(module)
    return found


def _refusal(layer: nn.Conv2d | nn.Linear) -> str:
    if isinstance(layer, nn.Conv2d) and layer.groups > 1:
        return "a grouped convolution does not run on sparse tensor cores"
    if layer.weight.shape[1] % GROUP:
        return f"it reads {layer.weight.shape[1]} channels, no multiple of {GROUP}"
    return ""


def _weight(module: nn.Module, name: str) -> Tensor:
    layer = module.get_submodule(name)
    assert isinstance(layer, (nn.Conv2d, nn.Linear))  # noqa: S101 - masks are made for no others
    return layer.weight
