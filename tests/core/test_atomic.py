import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgecnn.core import atomic


class PowerCutError(BaseException):
    """Stands for the moment after which nothing more is written; no `except Exception` may swallow it."""


@pytest.fixture
def cut(monkeypatch):
    """Return a function that makes the n-th durable step of what follows the last one that begins."""

    def arm(n):
        left = [n]

        def guarded(real):
            def step(*args, **kwargs):
                if left[0] == 0:
                    raise PowerCutError
                left[0] -= 1
                return real(*args, **kwargs)

            return step

        monkeypatch.setattr(os, "fsync", guarded(os.fsync))
        monkeypatch.setattr(Path, "rename", guarded(Path.rename))
        monkeypatch.setattr(Path, "replace", guarded(Path.replace))
        monkeypatch.setattr(atomic, "_exchange", guarded(atomic._exchange))
        monkeypatch.setattr(atomic.shutil, "rmtree", guarded(atomic.shutil.rmtree))

    yield arm
    monkeypatch.undo()


def every_cut(cut, monkeypatch, work, look):
    """Cut `work` at its first, second, ... step until it gets through; `look` after each. Return the number of cuts."""
    for n in range(60):
        cut(n)
        try:
            work(n)
        except PowerCutError:
            monkeypatch.undo()
            look(n)
        else:
            monkeypatch.undo()
            return n
    raise AssertionError("never got through")


def test_a_file_is_old_or_new_at_every_step(tmp_path, cut, monkeypatch):
    path = tmp_path / "f.json"

    def look(n):
        assert path.read_text() in ("old", f"new {n}")
        path.write_text("old")

    path.write_text("old")
    assert every_cut(cut, monkeypatch, lambda n: atomic.write_text(path, f"new {n}"), look) >= 3
    assert list(tmp_path.iterdir()) == [path]


def content(folder):
    return {p.name: p.read_text() for p in folder.iterdir()}


@pytest.mark.parametrize("old", [True, False])
def test_a_folder_is_old_or_new_at_every_step(tmp_path, cut, monkeypatch, old):
    target = tmp_path / "bundle"
    before = {"a": "1", "b": "2"} if old else None

    def reset():
        if target.exists():
            atomic.shutil.rmtree(target)
        if before:
            target.mkdir()
            for name, text in before.items():
                (target / name).write_text(text)

    def work(_):
        with atomic.new_folder(target) as folder:
            (folder / "a").write_text("one")
            (folder / "c").write_text("three")

    def look(_):
        assert (content(target) if target.exists() else None) in (before, {"a": "one", "c": "three"})
        reset()

    reset()
    assert every_cut(cut, monkeypatch, work, look) >= 5
    assert content(target) == {"a": "one", "c": "three"}


def test_an_error_inside_leaves_the_old_folder_and_no_litter(tmp_path):
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "a").write_text("1")

    def half_done():
        with atomic.new_folder(target) as folder:
            (folder / "a").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_done()
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]
    assert content(target) == {"a": "1"}


def test_without_an_exchange_the_swap_takes_three_steps(tmp_path, monkeypatch):
    class NoExchange:
        def __init__(self, *_, **__):
            pass

        def renameat2(self, *_):
            atomic.ctypes.set_errno(atomic.errno.EINVAL)
            return -1

    monkeypatch.setattr(atomic.ctypes, "CDLL", NoExchange)
    for text in ("old", "new"):
        with atomic.new_folder(tmp_path / "t") as folder:
            (folder / "f").write_text(text)
    assert content(tmp_path / "t") == {"f": "new"}
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_threads_that_write_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "f"
    errors = []

    def work(i):
        try:
            for _ in range(20):
                atomic.write_bytes(path, bytes([i]) * 4096)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    data = path.read_bytes()
    assert len(data) == 4096
    assert len(set(data)) == 1
    assert list(tmp_path.iterdir()) == [path]


WRITER = """
import sys
from pathlib import Path
from edgecnn.core import atomic
path = Path(sys.argv[1])
n = 0
while True:
    atomic.write_bytes(path, bytes([n % 251]) * 300_000)
    with atomic.new_folder(path.with_name("tree")) as folder:
        (folder / "a").write_text(str(n))
        (folder / "b").write_text(str(n))
    n += 1
"""


def test_kill_9_at_random_times_leaves_whole_files_and_folders(tmp_path):
    path = tmp_path / "f"
    for round_ in range(6):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)]) as writer:
            deadline = time.monotonic() + 20
            while not (tmp_path / "tree").exists() and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(0.013 * round_)
            writer.send_signal(signal.SIGKILL)
        data = path.read_bytes()
        assert len(data) == 300_000
        assert len(set(data)) == 1
        tree = content(tmp_path / "tree")
        assert set(tree) == {"a", "b"}
        assert tree["a"] == tree["b"]


HOLDER = """
import sys, time
from pathlib import Path
from edgecnn.core import atomic
with atomic.locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_excludes_another_process_and_falls_with_it(tmp_path):
    lock = tmp_path / "locks" / "stage"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        entered = threading.Event()

        def wait():
            with atomic.locked(lock):
                entered.set()

        waiter = threading.Thread(target=wait)
        waiter.start()
        assert not entered.wait(0.3)
        holder.send_signal(signal.SIGKILL)
        assert entered.wait(20)
        waiter.join()


def test_digests_tell_content_and_name(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x").write_bytes(b"abc")
    assert atomic.sha256_tree(tmp_path) == {"sub/x": atomic.sha256_bytes(b"abc")}
    assert atomic.sha256_file(tmp_path / "sub" / "x") == atomic.sha256_bytes(b"abc")
    assert atomic.sha256_bytes(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
