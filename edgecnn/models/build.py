"""From a recipe's model section to a torch module, and the face such a module shows."""

from typing import NamedTuple, Protocol

from torch import Tensor, nn

from edgecnn.core.recipe import Recipe
from edgecnn.core.registry import TASKS, resolve
from edgecnn.core.tensor import FrameSpec, TensorSpec


class Normalise(NamedTuple):
    """What a network expects of its pixels: (value / 255 - mean) / std per channel, channels in `color` order."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    color: str


class Network(Protocol):
    """What edgecnn asks of a model beside being an `nn.Module`.

    `forward` takes normalised float32 [N, 3, H, W] and returns one tensor a name in `output_names`, in that order.
    """

    output_names: tuple[str, ...]
    normalise: Normalise

    def __call__(self, image: Tensor) -> tuple[Tensor, ...]:
        """Run the network."""
        ...


class BuildModel(Protocol):
    """What an architecture's file offers in the registry."""

    def __call__(self, frame: FrameSpec, params: dict[str, object], outputs: tuple[TensorSpec, ...]) -> nn.Module:
        """Return a module with fresh weights that gives `outputs` (their shapes come from the task's codec)."""
        ...


def build_model(recipe: Recipe) -> nn.Module:
    """Return the recipe's network with fresh weights; its shape of answer comes from the task's codec."""
    codec = resolve("codec", TASKS[recipe.task].codec)(recipe.model.decode, recipe.model.frame)
    build: BuildModel = resolve("model", recipe.model.name)
    return build(recipe.model.frame, recipe.model.params, codec.outputs)
