"""Every target of the registry compiles in both precisions, the same each time; what it leaves runs or says why not.

The engine contract takes one target an engine in depth; this one takes all the others once.
"""

import numpy as np
import pytest
from contract_cases import CASES
from contract_networks import NEWEST_OPSET, frame_network

from edgecnn.core.errors import EdgecnnError
from edgecnn.core.registry import ENGINES, TARGETS, known, resolve

IN_DEPTH = {case.target for case in CASES.values()}
NEVER_THE_SAME = {"onnxruntime-mobile", "openvino-blob"}
"""ONNX Runtime writes its own format in the order of a hash table; a blob holds what one machine made of a network."""
OTHERS = [(name, precision) for name in TARGETS if name not in IN_DEPTH for precision in ("fp32", "int8")]


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_names_an_engine_and_a_scheme_that_exist(name):
    row = TARGETS[name]
    assert row.engine in known("engine")
    assert row.scheme in {"", *known("scheme")}


def test_every_engine_that_computes_has_a_target():
    assert {row.engine for row in TARGETS.values()} >= set(ENGINES) - {"null"}


@pytest.mark.parametrize(("name", "precision"), [(n, p) for n, p in OTHERS if p == "fp32" or TARGETS[n].scheme])
def test_a_target_compiles_and_its_files_run_or_say_why_not(name, precision):
    row = TARGETS[name]
    network = frame_network(33, 17, 1, min(row.opset, NEWEST_OPSET))
    network = network if precision == "fp32" else network.quantized(row.scheme)
    files = network.files_for(name, precision)
    assert all(files.values())
    if name not in NEVER_THE_SAME:
        assert files == network.files_for(name, precision)
    engine, why_not = opened(row, files, network)
    if engine is None:
        assert why_not
        assert "\n" not in why_not
        return
    feeds = network.feeds(0)
    got, wanted = engine.infer(feeds), network.reference(feeds)
    for key in wanted:
        np.testing.assert_allclose(got[key], wanted[key], rtol=1e-4, atol=1e-4 + 1.001 * network.step, err_msg=key)
    engine.close()


def opened(row, files, network):
    """Return the engine, or None and its words where this machine lacks what the target is for."""
    try:
        return resolve("engine", row.engine)(files, network.inputs, network.outputs, {"threads": 1, **row.options}), ""
    except EdgecnnError as error:
        return None, str(error)
