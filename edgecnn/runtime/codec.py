"""Codec: the face every task's codec shows. Encode for training and decode for the device in one place."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from edgecnn.core.results import Result
from edgecnn.core.tensor import TensorSpec


class Codec(Protocol):
    """Made from the decode parameters that a recipe and a bundle carry: `Codec(params)`.

    Attributes:
        outputs: the tensors the network has to give, batch size 1.
        logits: outputs whose softmax is what is read, with the axis it runs along.
    """

    outputs: tuple[TensorSpec, ...]
    logits: Mapping[str, int]

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
        """Return the result in pixels of an original frame of `width` x `height`."""
        ...
