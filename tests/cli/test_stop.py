"""A run that is told to stop takes its processes along and leaves nothing half-written."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def children(process):
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in listed.read_text().split()]


def drawing(pid):
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def until(what, seconds=60):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
    return found


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_sigterm_ends_the_drawing_processes_too(tmp_path):
    out = tmp_path / "set"
    command = ["-m", "edgecnn", "data", "make", str(out), "--frames", "20000", "--size", "160x96", "--workers", "2"]
    with subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True) as run:
        until(lambda: next(tmp_path.rglob("*.jpg"), None))
        workers = [pid for pid in children(run) if drawing(pid)]
        assert len(workers) == 2
        run.send_signal(signal.SIGTERM)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "interrupted" in said
    until(lambda: not any(map(drawing, workers)))
    assert not out.exists()
