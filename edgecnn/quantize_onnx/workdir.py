"""Where a run's temporary files lie: gone when it ends; what a killed run left is swept up by the next."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from edgecnn.core.errors import InputError

LOCK = "lock"


@contextmanager
def temporary(out: Path, workdir: Path | None) -> Iterator[Path]:
    """Yield a new folder, below `workdir` or hidden beside `out`, and remove it in the end.

    Raises:
        InputError: nothing can be written there.
    """
    parent = (workdir or out.resolve().parent).resolve()
    head = f".{out.name}.work."
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent, head)
        folder = Path(mkdtemp(prefix=head, dir=parent))
    except OSError as error:
        raise InputError(f"{parent}: can't be written to ({error.strerror}); choose another folder") from error
    try:
        # The lock falls with the process, however that dies.
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path, head: str) -> None:
    for left in parent.glob(f"{head}*"):
        with suppress(OSError):
            handle = os.open(left / LOCK, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)
