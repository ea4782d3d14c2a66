"""Random weights whose network behaves as a trained one does where quantization is concerned.

What quantization meets in trained networks, and how it is made here:

- Activations of unit size in every layer: batch norm's statistics are measured on road scenes, as training does.
- Channels of unlike size: batch norm's scales are log-normal (sigma 0.3), and so are the scales of the filters
  (sigma 0.6), which batch norm takes back; after folding both stand in the weights. Shifts are mostly negative, so that
  activations are sparse and differ from scene to scene.
- Branches that are added to a short cut are half as large as it: larger ones make a network chaotic, and trained ones
  are not.
- Heavy tails: weights are Student's t with 5 degrees of freedom, and one channel in fifty is twice as large.
- Filters of neighbouring weights: those larger than 1x1 are smoothed, so that pictures pass instead of noise.
- Answers that tell pictures apart: the last layer reads the directions in which its inputs differ most from scene to
  scene, as training would find them; a random one would mostly read what all scenes have in common.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

DIRECTIONS = 8
"""Principal directions that the last layer reads."""
ANSWERS = 2.0
"""Standard deviation of its answers."""


def make_trained_like(network: nn.Module, frames: Tensor, seed: int) -> nn.Module:
    """Fill `network`, whose last layer is called `head`, in place; `frames` [N, 3, H, W] in [0, 1] are road scenes."""
    generator = torch.Generator().manual_seed(seed)
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            _fill_weights(module, generator)
        elif isinstance(module, nn.BatchNorm2d):
            _fill_norm(module, generator, 0.5 if name.endswith("quiet_norm") else 1.0)
        elif isinstance(module, nn.PReLU):
            module.weight.data = 0.15 + 0.15 * torch.randn(module.weight.shape, generator=generator)
    measure_norms(network, frames)
    _fit_answers(network, frames, generator)
    return network.eval()


def _fill_weights(module: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, generator: torch.Generator) -> None:
    weight = module.weight.data
    # Student's t: a normal number over the root of a chi-square one over its degrees of freedom.
    squares = torch.randn((5, *weight.shape), generator=generator).square().mean(0)
    values = torch.randn(weight.shape, generator=generator) / squares.sqrt()
    if weight.ndim == 4 and min(weight.shape[2:]) > 1 and isinstance(module, nn.Conv2d):
        box = torch.tensor([0.5, 1.0, 0.5])
        kernel = torch.outer(box, box).expand(weight.shape[1], 1, 3, 3)
        values = 0.5 * values + 0.5 * functional.conv2d(values, kernel, padding=1, groups=weight.shape[1])
    # Inputs of a transposed convolution are along axis 0, and each of its outputs sees stride^2 times fewer weights.
    outputs_axis = 1 if isinstance(module, nn.ConvTranspose2d) else 0
    fan_in = values[0].numel() if outputs_axis == 0 else values.shape[0]
    shape = [1] * weight.ndim
    shape[outputs_axis] = weight.shape[outputs_axis]
    sizes = torch.exp(0.6 * torch.randn(shape, generator=generator))
    module.weight.data = values / values.std() * math.sqrt(2 / fan_in) * sizes
    if module.bias is not None:
        module.bias.data = 0.1 * torch.randn(module.bias.shape, generator=generator)


def _fill_norm(module: nn.BatchNorm2d, generator: torch.Generator, size: float) -> None:
    count = module.num_features
    scale = size * torch.exp(0.3 * torch.randn(count, generator=generator))
    outliers = torch.rand(count, generator=generator) < 0.02
    module.weight.data = torch.where(outliers, 2 * scale, scale)
    module.bias.data = scale * (0.4 * torch.randn(count, generator=generator) - 0.4)


def measure_norms(network: nn.Module, frames: Tensor) -> None:
    """Run `frames` in training mode, so that each norm keeps the mean statistics of what reaches it."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    with torch.no_grad():
        for batch in frames.split(8):
            network(batch)
    network.eval()


def _fit_answers(network: nn.Module, frames: Tensor, generator: torch.Generator) -> None:
    """Let the head read mixtures of the directions in which its inputs differ most; centre and scale its answers."""
    head = network.get_submodule("head")
    assert isinstance(head, nn.Conv2d | nn.Linear)  # noqa: S101 - tells mypy what every network here has
    assert head.bias is not None  # noqa: S101
    seen: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].transpose(0, 1).flatten(1)))
    with torch.no_grad():
        for batch in frames.split(8):
            network(batch)
    handle.remove()
    features = torch.cat(seen, 1)
    mean = features.mean(1, keepdim=True)
    directions, sizes, _ = torch.linalg.svd((features - mean) @ (features - mean).T)
    count = min(DIRECTIONS, len(sizes))
    # Sizes are variances: the fourth root leaves the strongest directions ahead, and the others heard.
    mixture = torch.randn((len(head.bias), count), generator=generator) / sizes[:count] ** 0.25
    weight = mixture @ directions[:, :count].T
    answers = weight @ (features - mean)
    factor = ANSWERS / answers.std()
    head.weight.data = (factor * weight).reshape(head.weight.shape)
    head.bias.data = (-factor * weight @ mean).flatten()
