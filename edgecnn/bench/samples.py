"""Where raw samples are kept: arrays of int64 in one compressed NumPy file, named `<run's prefix>/<column>`.

Columns of every scenario: `latency_ns`, `round` (-1 is warm-up), `lead_in` (1 for a block's uncounted first rows);
single_stream adds `start_ns`, `pre_ns`, `engine_ns`, `post_ns`, and so on as each scenario's `columns` says.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from edgecnn.core import atomic
from edgecnn.core.errors import InputError

FILE = "samples.npz"


def path_of(result: Path) -> Path:
    """Return where the samples of a result file lie: `x.npz` beside `x.json`, else `samples.npz` in its folder."""
    own = result.with_suffix(".npz")
    return own if own.exists() else result.with_name(FILE)


def write(path: Path, columns: Mapping[str, Mapping[str, NDArray[np.int64]]]) -> None:
    """Write the columns of every prefix, atomically."""
    buffer = io.BytesIO()
    arrays = {f"{prefix}/{name}": array for prefix, named in columns.items() for name, array in named.items()}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    atomic.write_bytes(path, buffer.getvalue())


def read(path: Path, prefix: str) -> dict[str, NDArray[np.int64]]:
    """Return the columns kept under `prefix`.

    Raises:
        InputError: no such file, not a sample file, or nothing under that prefix.
    """
    try:
        # Not np.load, which would take a bare array for what it is; only the zip form is ours.
        with path.open("rb") as file, NpzFile(file, allow_pickle=False) as archive:
            columns = {
                name.removeprefix(f"{prefix}/"): archive[name]
                for name in archive.files
                if name.startswith(f"{prefix}/") and "/" not in name.removeprefix(f"{prefix}/")
            }
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: can't read the samples ({error}); keep it beside its result file") from error
    if not columns:
        raise InputError(f"{path}: holds no samples named '{prefix}'; it belongs to another result file")
    return columns
