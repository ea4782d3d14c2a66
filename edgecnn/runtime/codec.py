"""Codec: the face every task's codec shows. Encode for training and decode for the device in one place."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from edgecnn.core.bundle import Manifest
from edgecnn.core.registry import resolve
from edgecnn.core.results import Result
from edgecnn.core.tensor import TensorSpec


class Codec(Protocol):
    """Made from what a recipe and a bundle carry: `Codec(params, frame)`.

    `params` are the decode parameters, `frame` is what a camera frame becomes before the network (None where it takes
    something else).

    Attributes:
        outputs: the tensors the network has to give, batch size 1.
        logits: outputs whose softmax is what is read, with the axis it runs along.
        told_by: outputs that mean something only where another one, of probabilities on the same grid, says that
            something is there; by the name of that one.
    """

    outputs: tuple[TensorSpec, ...]
    logits: Mapping[str, int]
    told_by: Mapping[str, str]

    def truth(self, truth: Result) -> Any:
        """Return what this codec speaks of in a data set's truth: one part of it, in the codec's own classes.

        Raises:
            DataError: it holds nothing of the kind.
        """
        ...

    def encode(self, truth: Any) -> dict[str, NDArray[Any]]:
        """Return the training targets of one frame, without a batch axis."""
        ...

    def decode(self, outputs: Mapping[str, NDArray[Any]], width: int, height: int) -> Result:
        """Return the result in pixels of an original frame of `width` x `height`, candidates and all."""
        ...

    def sure(self, result: Any) -> Result:
        """Return what of a decoded result is sure enough to act on; metrics that rank want the rest as well."""
        ...


def codec_of(manifest: Manifest) -> Codec:
    """Return the codec that a bundle's outputs are decoded by."""
    codec: Codec = resolve("codec", manifest.decode.codec)(manifest.decode.params, manifest.frame)
    return codec
