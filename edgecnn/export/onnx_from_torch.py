"""A torch module into ONNX through `torch.export`, its pre-processing baked in: uint8 frames in, named outputs out."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import onnx_ir as ir
import torch
from torch import Tensor, nn

from edgecnn import __version__
from edgecnn.core.errors import StageError, line_of
from edgecnn.core.tensor import FrameSpec
from edgecnn.export.passes.base import Pass, run_all
from edgecnn.export.passes.fold_batchnorm import FoldBatchNorm
from edgecnn.export.passes.fold_constants import FoldConstants
from edgecnn.export.passes.fold_normalisation import FoldNormalisation
from edgecnn.export.passes.lower_opset import LowerOpset
from edgecnn.export.passes.tidy import Tidy
from edgecnn.models.answers import tensors
from edgecnn.models.build import Normalise

INPUT = "image"
PASSES: tuple[Pass, ...] = (FoldConstants(), FoldBatchNorm(), Tidy(), FoldNormalisation())
OLDEST_OF_TORCH = 18
"""What torch's operators are written in; to older opsets it converts by a tool that fails at means over axes."""


class FromFrames(nn.Module):
    """`module` with its pre-processing in front: uint8 [N, H, W, 3] in `frame.color` order to the module's outputs."""

    mean: Tensor
    std: Tensor

    def __init__(self, module: nn.Module, frame: FrameSpec, normalise: Normalise) -> None:
        super().__init__()
        self.module = module
        self.reverse = frame.color != normalise.color
        self.register_buffer("mean", _per_channel(normalise.mean, reverse=self.reverse))
        self.register_buffer("std", _per_channel(normalise.std, reverse=self.reverse))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Normalise, reorder the channels, run the module."""
        pixels = (image.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.std
        outputs = self.module(pixels.flip(1) if self.reverse else pixels)
        return tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)


def export(
    module: nn.Module, frame: FrameSpec, normalise: Normalise, outputs: tuple[str, ...], opset: int
) -> onnx.ModelProto:
    """Return `module` as a checked ONNX model of the given opset.

    Its one input is `image`, uint8 [1, frame.height, frame.width, 3] in `frame.color` order; its outputs carry the
    names in `outputs`, in the module's order. Batch norm and the pixels' scale are folded into weights. The same module
    gives the same bytes. `module` is put into eval mode.

    Raises:
        StageError: torch can't export the module, or it gives another number of outputs than there are names.
        InputError: an operator has no older words for an older opset.
    """
    example = torch.zeros(1, frame.height, frame.width, 3, dtype=torch.uint8)
    return _exported(FromFrames(module, frame, normalise), (example,), (INPUT,), outputs, opset)


def export_plain(
    module: nn.Module, example: tuple[Tensor, ...], inputs: tuple[str, ...], outputs: tuple[str, ...], opset: int
) -> onnx.ModelProto:
    """Return `module` as a checked ONNX model that takes its inputs as they are, in the shapes of `example`.

    Its outputs are the tensors of the module's answer in their order, whatever they are wrapped in. `module` is put
    into eval mode.

    Raises:
        StageError, InputError: as `export`.
    """
    return _exported(Flat(module), example, inputs, outputs, opset)


class Flat(nn.Module):
    """`module` with its answer as a plain row of tensors."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the module."""
        return tensors(self.module(*inputs))


def _exported(
    wrapped: nn.Module, example: tuple[Tensor, ...], inputs: tuple[str, ...], outputs: tuple[str, ...], opset: int
) -> onnx.ModelProto:
    wrapped.eval()
    with torch.no_grad():
        count = len(wrapped(*example))
    if count != len(outputs):
        raise StageError(f"the module gives {count} outputs and {len(outputs)} names: {', '.join(outputs)}")
    with _quiet():
        try:
            program = torch.onnx.export(
                wrapped,
                example,
                dynamo=True,
                opset_version=max(opset, OLDEST_OF_TORCH),
                input_names=list(inputs),
                output_names=list(outputs),
                optimize=False,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise StageError(f"torch could not export the module: {line_of(error)}") from error
    if program is None:
        raise StageError("torch gave no ONNX program; export needs torch.onnx.export with dynamo=True")
    return _finish(program.model, opset)


def _finish(model: ir.Model, opset: int) -> onnx.ModelProto:
    run_all((*PASSES, LowerOpset(opset), Tidy()), model)
    if model.graph.opset_imports.get("") != opset:
        raise StageError(f"torch exported opset {model.graph.opset_imports.get('')}, not {opset}; choose that one")
    model.producer_name, model.producer_version = "edgecnn", __version__
    model.graph.name = "edgecnn"
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _per_channel(values: tuple[float, ...], *, reverse: bool) -> Tensor:
    return (
        torch.tensor(values[::-1] if reverse else values, dtype=torch.float64)
        .mul(255)
        .to(torch.float32)
        .view(1, -1, 1, 1)
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the exporter says about packages that are not installed, its own deprecations and its ways."""
    logger = logging.getLogger("torch.onnx._internal.exporter")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)
