"""Nests of tensors: what a network gives, whatever shape its answer has."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor


def tensors_of(answer: Any) -> list[Tensor]:
    """Return the tensors in a nest of tuples, lists and mappings, in order; what is no tensor is left out."""
    if isinstance(answer, Tensor):
        return [answer]
    if isinstance(answer, Mapping):
        answer = answer.values()
    if isinstance(answer, Iterable) and not isinstance(answer, (str, bytes)):
        return [tensor for one in answer for tensor in tensors_of(one)]
    return []


def line_of(error: Exception) -> str:
    """Return an error's message as one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
