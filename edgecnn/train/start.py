"""Learning on from what an earlier training left, of the same network or of one that shares layers with it."""

import sys

from torch import Tensor, nn

from edgecnn.core import atomic
from edgecnn.core.errors import DataError, listed
from edgecnn.core.evidence import Start
from edgecnn.core.shared import weights_path
from edgecnn.train.checkpoint import read_tensors


def digest_of(given: str | None) -> str | None:
    """Return the SHA-256 of the weights that `train.start` names, None for none.

    Raises:
        InputError: there are no such weights.
    """
    return None if given is None else atomic.sha256_file(weights_path(given))


def start_from(given: str, module: nn.Module) -> Start:
    """Fill in `module` each parameter and buffer that the weights named `given` hold, and say which stay as they are.

    Of the same layer are tensors of one shape whose names are equal, or whose names are once they are parted from what
    comes before a dot: `backbone.stem.weight` of a network for one task is `lanes.backbone.stem.weight` of one for two.

    Raises:
        InputError: there are no such weights.
        DataError: the file is no safetensors file, or no layer of it is one of `module`'s.
    """
    path = weights_path(given)
    own, theirs = module.state_dict(), read_tensors(path)[0]
    taken = {name: there for name, mine in own.items() if (there := _same_layer(name, mine, theirs)) is not None}
    if not taken:
        raise DataError(f"train.start: {path} holds none of this network's layers; leave it out")
    module.load_state_dict(taken, strict=False)
    fresh = tuple(name for name in own if name not in taken)
    told = f", fresh: {listed(fresh, 6)}" if fresh else ""
    sys.stderr.write(f"  starts from {path}: {len(taken)} of {len(own)} tensors{told}\n")
    return Start(given, atomic.sha256_file(path), len(taken), fresh)


def _same_layer(name: str, tensor: Tensor, theirs: dict[str, Tensor]) -> Tensor | None:
    """Return what `theirs` holds of the layer that `tensor` belongs to, None without an answer or with several."""
    if name in theirs:
        found = [theirs[name]]
    else:
        found = [one for other, one in theirs.items() if name.endswith(f".{other}") or other.endswith(f".{name}")]
    return found[0] if len(found) == 1 and found[0].shape == tensor.shape else None
