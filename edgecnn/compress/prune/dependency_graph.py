"""torch-pruning's dependency graph of a network, and where it has to be helped."""

import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch_pruning import DependencyGraph, ops
from torch_pruning.dependency import index_mapping

from edgecnn.core.errors import InputError, line_of
from edgecnn.models.answers import tensors
from edgecnn.models.layer_channels import layer_of

OUTPUT = "its channels are an output of the network"
OPAQUE = {
    ops.OPTYPE.MHA: "attention heads fix its width",
    ops.OPTYPE.LSTM: "it runs into a recurrent layer",
    ops.OPTYPE.EMBED: "it shares its width with an embedding",
    ops.OPTYPE.OUTPUT: OUTPUT,
}
PRODUCTS = ("BmmBackward", "BaddbmmBackward", "ScaledDotProduct", "DotBackward", "MvBackward")
"""What autograd calls products of two signals. The graph takes them for sums, channel by channel."""


def graph_of(traced: nn.Module, example: tuple[Tensor, ...]) -> DependencyGraph:
    """Return the graph of `traced`, which runs as `traced(*example)` with gradients. Tables in it become parameters.

    Raises:
        InputError: autograd's trace can't be followed.
    """
    _free_tables(traced)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            graph = _Graph().build_dependency(traced, example, output_transform=_traced, verbose=False)
        except Exception as error:
            raise InputError(f"the network's channels can't be followed: {line_of(error, 200)}") from error
    _follow_all(graph)
    return graph


def opaque(node: Any) -> str:
    """Return why no channels can be followed through `node`, or nothing."""
    if node.type == ops.OPTYPE.ELEMENTWISE and any(name in str(node.module) for name in PRODUCTS):
        return "it runs into a product of two signals, as in attention"
    return OPAQUE.get(node.type, "")


def chunk(node: Any) -> Callable[[int], list[int]] | None:
    """Return, for a split into equal parts, the channels at the same place of each part; None for anything else.

    `chunk` makes its parts as wide as each other, however many channels it is given.
    """
    sizes = node.module.split_sizes if node.type == ops.OPTYPE.SPLIT else None
    if not sizes or len(set(sizes)) > 1 or "Sizes" in node.grad_fn.name():
        return None
    size, total = sizes[0], sum(sizes)
    return lambda channel: list(range(channel % size, total, size))


class _Graph(DependencyGraph):  # type: ignore[misc]
    """The graph, but for its taking every convolution with a block an output for a depthwise one."""

    def get_pruner_of_module(self, module: nn.Module) -> Any:
        """Return what knows the channels of `module`."""
        plain = isinstance(module, _ConvNd) and module.in_channels != module.out_channels
        return self.REGISTERED_PRUNERS[ops.OPTYPE.CONV] if plain else super().get_pruner_of_module(module)


def _follow_all(graph: DependencyGraph) -> None:
    """Follow channels through every concatenation and split.

    The graph gives that up behind any parameter of three axes, which it takes for a transformer's class token.
    """
    for node in graph.module2node.values():
        node.enable_index_mapping = True
    index_mapping.update_index_mapping(graph)


def _free_tables(module: nn.Module) -> None:
    """Make parameters of the buffers that belong to no layer, so that the graph sees where they go in.

    Detectors freeze the norms of their backbones by keeping their numbers in buffers. One that is not saved with the
    weights is left out: a network built again would have its first numbers, not those that were kept.
    """
    saved = set(module.state_dict())
    for prefix, owner in module.named_modules():
        for name, buffer in list(owner.named_buffers(recurse=False)):
            plain = layer_of(owner) is None and buffer.is_floating_point() and buffer.ndim
            if plain and (f"{prefix}.{name}" if prefix else name) in saved:
                delattr(owner, name)
                owner.register_parameter(name, nn.Parameter(buffer))


def _traced(answer: Any) -> list[Tensor]:
    return [tensor for tensor in tensors(answer) if tensor.grad_fn is not None]
