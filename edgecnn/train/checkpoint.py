"""Training state as safetensors: weights, averaged weights, optimizer moments. Nothing is ever unpickled."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from edgecnn.core import atomic
from edgecnn.core.errors import DataError, line_of


def save_weights(path: Path, module: nn.Module) -> None:
    """Write a module's parameters and buffers, atomically."""
    atomic.write_bytes(path, save(_plain(module.state_dict())))


def load_weights(path: Path, module: nn.Module) -> None:
    """Fill `module` from a file of `save_weights`.

    Raises:
        DataError: the file is no safetensors file, or holds another network's tensors.
    """
    tensors, _ = read_tensors(path)
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise DataError(f"{path}: these weights are another network's: {line_of(error)}") from error


def save_state(
    path: Path,
    module: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: dict[str, Any],
    adapters: nn.Module | None = None,
) -> None:
    """Write all that an exact resume needs; `progress` is plain JSON (epoch, best figure, curve)."""
    tensors = {f"model/{k}": v for k, v in _plain(module.state_dict()).items()}
    tensors |= {f"average/{k}": v for k, v in _plain(average.state_dict()).items()}
    if adapters is not None:
        tensors |= {f"adapters/{k}": v for k, v in _plain(adapters.state_dict()).items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{k}": v.detach().cpu().clone().contiguous() for k, v in moments.items()}
    atomic.write_bytes(path, save(tensors, metadata={"progress": json.dumps(progress)}))


def load_state(
    path: Path,
    module: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    adapters: nn.Module | None = None,
) -> dict[str, Any]:
    """Restore what `save_state` wrote and return its `progress`."""
    tensors, metadata = read_tensors(path)
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}, "adapters": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = tensor
    module.load_state_dict(parts["model"])
    average.load_state_dict(parts["average"])
    if adapters is not None:
        adapters.load_state_dict(parts["adapters"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, _, moment = name.partition("/")
        state.setdefault(int(index), {})[moment] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    progress: dict[str, Any] = json.loads(metadata["progress"])
    return progress


def _plain(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file.

    Raises:
        DataError: it is none.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: not a safetensors file: {error}") from error
