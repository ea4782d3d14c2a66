"""What a module answers, whatever it is wrapped in, as a flat row of tensors."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor


def tensors(answer: Any) -> tuple[Tensor, ...]:
    """Return the tensors in a nest of tuples, lists, mappings and the like, in order; what is no tensor is left out."""
    if isinstance(answer, Tensor):
        return (answer,)
    if isinstance(answer, Mapping):
        answer = answer.values()
    if isinstance(answer, Iterable) and not isinstance(answer, (str, bytes)):
        return tuple(tensor for part in answer for tensor in tensors(part))
    return ()
