"""What a module answers, whatever it is wrapped in, as a flat row of tensors."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def tensors(answer: Any) -> tuple[Tensor, ...]:
    """Return the tensors in an answer in their order: a tensor, or tuples, lists and mappings of such."""
    if isinstance(answer, Tensor):
        return (answer,)
    parts = answer.values() if isinstance(answer, Mapping) else answer if isinstance(answer, (tuple, list)) else ()
    return tuple(tensor for part in parts for tensor in tensors(part))
