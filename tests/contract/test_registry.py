"""No engine of the registry is outside the contract, and one that can't run here says what it lacks."""

import pytest
from contract_cases import ABSENT, CASES, OURS, PRESENT, float_engine, frames, open_files, precisions

from edgecnn.core.errors import EngineError, InputError, MissingExtraError
from edgecnn.core.registry import ENGINES


def test_every_engine_is_in_the_contract():
    assert {case.engine for case in OURS.values()} == set(ENGINES)


def test_what_runs_on_every_machine_is_not_called_absent():
    assert {"null", "onnxruntime", "openvino"} <= set(PRESENT)
    assert all(CASES[name].absent() for name in ABSENT)


@pytest.mark.parametrize("name", ABSENT)
def test_an_engine_that_cannot_run_here_says_so_in_one_line(name):
    network = frames(name, 7, 5)
    with pytest.raises((MissingExtraError, EngineError)) as caught:
        open_files(name, network.onnx_files(), network)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 600
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ABSENT)
def test_an_engine_that_cannot_run_here_still_refuses_unknown_options(name):
    # Where not even the module can be imported, that is told first: its options stand in it.
    with pytest.raises((InputError, MissingExtraError), match=r"thread_count.*threads|not installed"):
        float_engine(name, thread_count=2)


@pytest.mark.parametrize(
    ("name", "precision"), [(name, p) for name in ABSENT if CASES[name].target for p in precisions(name)]
)
def test_what_an_absent_engine_runs_is_compiled_all_the_same(name, precision):
    network = frames(name, 33, 17, precision)
    files = network.files_for(CASES[name].target, precision)
    assert files
    assert all(files.values())
    assert files == network.files_for(CASES[name].target, precision)
