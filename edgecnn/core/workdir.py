"""Where a run's temporary files lie: gone when it ends; what a killed run left is swept up by the next."""

import fcntl
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from types import FrameType
from typing import NoReturn

from edgecnn.core.errors import InputError

LOCK = "lock"
SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a command."""


@contextmanager
def temporary(out: Path, workdir: Path | None) -> Iterator[Path]:
    """Yield a new folder, below `workdir` or hidden beside `out`, and remove it in the end, also when asked to stop.

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
        with (folder / LOCK).open("w") as lock, _stoppable():
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn SIGTERM, which would end Python at once, into an exception; signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(SIGNALLED + number)


def _sweep(parent: Path, head: str) -> None:
    for left in parent.glob(f"{head}*"):
        with suppress(OSError):
            handle = os.open(left / LOCK, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)
