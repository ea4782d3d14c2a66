"""Options are known and sensible or refused, facts tell what is in force, and the caller's process stays as it was."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from contract_cases import CASES, PRESENT, REAL, files_of, float_engine, frames

from edgecnn.core.errors import InputError


@pytest.mark.parametrize("name", PRESENT)
def test_unknown_options_are_refused_with_the_nearest(name):
    with pytest.raises(InputError, match=r"thread_count.*threads"):
        float_engine(name, thread_count=2)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("threads", [0, -1, True, "2", 1.5])
def test_senseless_thread_counts_are_refused(name, threads):
    with pytest.raises(InputError, match="'threads' must be a whole number above 0"):
        float_engine(name, threads=threads)


@pytest.mark.parametrize("name", PRESENT)
def test_facts_tell_what_is_in_force(name):
    case = CASES[name]
    engine = float_engine(name)
    facts = engine.facts()
    assert facts["engine"] == engine.name == case.engine
    if case.computes:
        assert facts["version"]
        assert facts["threads"] == 1 or not case.counts_threads
    engine.close()


def test_openvino_computes_in_f32_unless_told_otherwise():
    engine = float_engine("openvino")
    assert engine.facts()["precision"] == "f32"
    engine.close()


# In a process of its own: what one engine did to the thread can't be undone for the next, nor an import.
DEVICE_SIDE = """
import pickle, sys
from pathlib import Path
import numpy as np
from edgecnn.core.registry import resolve
engine, files, inputs, outputs, options, feeds = pickle.loads(Path(sys.argv[1]).read_bytes())
smallest = np.finfo(np.float64).tiny
opened = resolve("engine", engine)(files, inputs, outputs, options)
opened.infer(feeds)
print(smallest / 2 > 0, np.geterr()["under"])
opened.close()
print(smallest / 2 > 0, *({"torch", "onnx", "onnx_ir"} & set(sys.modules)))
"""


@pytest.mark.parametrize("name", PRESENT)
def test_loading_and_running_leaves_the_callers_arithmetic_alone_and_needs_no_torch_and_no_onnx(name, tmp_path):
    network = frames(name, 7, 5)
    case = CASES[name]
    options = {**dict(case.options), "threads": 2}
    given = (case.engine, files_of(name, network), network.inputs, network.outputs, options, network.feeds(0))
    (tmp_path / "given").write_bytes(pickle.dumps(given))
    needed = f"True {case.brings}".strip()
    assert in_a_fresh_process(DEVICE_SIDE, tmp_path / "given") == f"True ignore\n{needed}\n"


def in_a_fresh_process(code: str, argument: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code, str(argument)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
