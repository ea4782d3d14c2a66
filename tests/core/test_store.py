import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core import atomic, store
from edgecnn.core.store import Store, code_digest, stage_key


def make(root, text="data", stage="train", key="k1"):
    """Leave one result in a store, as the pipeline does."""
    place = Store(root)
    partial = place.partial(stage, key)
    out = partial / "out"
    out.mkdir(exist_ok=True)
    (out / "weights").write_text(text)
    (out / "notes").write_text("n")
    return place.commit(stage, key, out)


def test_what_is_committed_is_found(tmp_path):
    folder = make(tmp_path)
    assert Store(tmp_path).find("train", "k1") == folder
    assert (folder / "weights").read_text() == "data"
    assert not (tmp_path / "partial" / "train-k1").exists()
    assert Store(tmp_path).find("train", "other") is None


def damage_flip(folder):
    data = bytearray((folder / "weights").read_bytes())
    data[0] ^= 1
    (folder / "weights").write_bytes(data)


DAMAGES = {
    "a bit flipped": damage_flip,
    "a file cut short": lambda f: (f / "weights").write_text("da"),
    "a file gone": lambda f: (f / "notes").unlink(),
    "a file too many": lambda f: (f / "extra").write_text(""),
    "a file renamed": lambda f: (f / "notes").rename(f / "note"),
    "two files swapped": lambda f: [(f / a).write_text(b) for a, b in (("weights", "n"), ("notes", "data"))],
    "everything gone": atomic.shutil.rmtree,
    "the record is no JSON": lambda f: f.with_name("train-k1.json").write_text("{"),
    "the record is another thing": lambda f: f.with_name("train-k1.json").write_text("[]"),
    "the record is gone": lambda f: f.with_name("train-k1.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_result_is_never_used_and_can_be_made_anew(tmp_path, damage):
    DAMAGES[damage](make(tmp_path))
    assert Store(tmp_path).find("train", "k1") is None
    make(tmp_path, "anew")
    assert (Store(tmp_path).find("train", "k1") / "weights").read_text() == "anew"


@pytest.mark.parametrize("old", [True, False])
def test_a_cut_at_any_step_leaves_a_result_that_is_whole_or_absent(tmp_path, monkeypatch, old):
    class PowerCutError(BaseException):
        pass

    def guard(real, left):
        def step(*args, **kwargs):
            if left[0] == 0:
                raise PowerCutError
            left[0] -= 1
            return real(*args, **kwargs)

        return step

    for n in range(80):
        root = tmp_path / str(n)
        if old:
            make(root, "old")
        left = [n]
        for owner, name in ((os, "fsync"), (Path, "rename"), (Path, "replace"), (store.shutil, "rmtree")):
            monkeypatch.setattr(owner, name, guard(getattr(owner, name), left))
        try:
            make(root, "new")
        except PowerCutError:
            monkeypatch.undo()
        else:
            monkeypatch.undo()
            break
        found = Store(root).find("train", "k1")
        assert found is None or (found / "weights").read_text() in ("old", "new")
        make(root, "again")
        assert (Store(root).find("train", "k1") / "weights").read_text() == "again"
    else:
        raise AssertionError("never got through")
    assert n >= 8


WORKER = """
import sys, time
from pathlib import Path
from edgecnn.core.store import Store
place = Store(Path(sys.argv[1]))
with place.lock("train", "k1"):
    if place.find("train", "k1") is None:
        out = place.partial("train", "k1") / "out"
        out.mkdir(exist_ok=True)
        for i in range(40):
            (out / f"f{i}").write_text("x" * 50_000)
            time.sleep(float(sys.argv[2]))
        with open(sys.argv[1] + "/made", "a") as made:
            made.write("made\\n")
        place.commit("train", "k1", out)
"""


def test_kill_9_in_the_middle_then_a_second_run_finishes(tmp_path):
    for round_ in range(4):
        root = tmp_path / str(round_)
        root.mkdir()
        command = [sys.executable, "-c", WORKER, str(root)]
        with subprocess.Popen([*command, "0.005"]) as first:
            deadline = time.monotonic() + 20
            while not (root / "partial").exists() and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(0.05 * round_)
            first.send_signal(signal.SIGKILL)
        found = Store(root).find("train", "k1")
        assert found is None or len(list(found.iterdir())) == 40
        subprocess.run([*command, "0"], check=True, timeout=60)
        assert len(list(Store(root).find("train", "k1").iterdir())) == 40


def test_of_many_processes_one_makes_the_result_and_the_others_find_it(tmp_path):
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), "0.002"]) for _ in range(5)]
    assert [worker.wait(60) for worker in workers] == [0] * 5
    assert (tmp_path / "made").read_text() == "made\n"


@settings(max_examples=50)
@given(st.dictionaries(st.text(), st.text(), max_size=4), st.dictionaries(st.text(), st.integers(), max_size=4))
def test_a_key_hangs_on_content_and_not_on_order(inputs, parameters):
    key = stage_key("c", inputs, parameters)
    again = stage_key("c", dict(reversed(inputs.items())), dict(reversed(parameters.items())))
    assert key == again
    assert len(key) == 20
    assert stage_key("d", inputs, parameters) != key
    assert stage_key("c", inputs | {"\0new": "x"}, parameters) != key
    assert stage_key("c", inputs, parameters | {"\0new": 1}) != key


def test_a_change_of_one_source_file_changes_the_code_digest(tmp_path, monkeypatch):
    package = tmp_path / "some_package_of_this_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = code_digest((package.name,))
    assert before == code_digest((package.name,))
    (package / "a.py").write_text("x = 2\n")
    assert code_digest((package.name,)) != before
    with pytest.raises(ValueError, match="no source"):
        code_digest(("no_such_package_anywhere",))
