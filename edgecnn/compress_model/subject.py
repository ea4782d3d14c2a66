"""Subject: a trained network to be compressed, and all that its compression needs to know of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import onnx
from torch import Tensor, nn

from edgecnn.compress_model.judge import Judge
from edgecnn.train.recover import Recovery

ToOnnx: TypeAlias = Callable[[nn.Module, int], onnx.ModelProto]


@dataclass(frozen=True)
class Subject:
    """A network and its surroundings.

    Attributes:
        original: the uncompressed network, in eval mode; never changed.
        example: inputs of one forward pass, with a batch of one.
        recovery: trains what was compressed.
        judge: says what it is worth then.
        to_onnx: a module of the same inputs and outputs as ONNX, of the opset given, to be timed.
        versions: of the packages that decide the result.
        notes: what a reader of the result must know of how it was judged.
    """

    original: nn.Module
    example: tuple[Tensor, ...]
    recovery: Recovery
    judge: Judge
    to_onnx: ToOnnx
    versions: Mapping[str, str]
    notes: tuple[str, ...] = ()
