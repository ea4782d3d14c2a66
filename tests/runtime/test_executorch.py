"""The threads of ExecuTorch are the process's: engines that want different numbers take turns."""

import numpy as np
import pytest
from contract_networks import float_network

from edgecnn.core.errors import EngineError
from edgecnn.runtime.engines.executorch import open_engine


@pytest.fixture(scope="module")
def files():
    return float_network().files_for("executorch", "fp32")


def test_each_engine_runs_with_the_threads_it_was_promised(files):
    network = float_network()
    engines = {threads: open_engine(files, network.inputs, network.outputs, {"threads": threads}) for threads in (1, 2)}
    feeds = network.feeds(0)
    for _ in range(3):
        for threads, engine in engines.items():
            np.testing.assert_array_equal(engine.infer(feeds)["sum"], network.reference(feeds)["sum"])
            assert engine.facts()["threads"] == threads
    engines[1].close()
    np.testing.assert_array_equal(engines[2].infer(feeds)["sum"], network.reference(feeds)["sum"])
    engines[2].close()


@pytest.mark.parametrize("beside", [{}, {"model.json": b"{}"}, {"model.json": b"junk"}])
def test_a_program_without_its_description_is_refused(files, beside):
    network = float_network()
    with pytest.raises(EngineError, match=r"model\.json") as caught:
        open_engine({"model.pte": files["model.pte"], **beside}, network.inputs, network.outputs, {})
    assert "\n" not in str(caught.value)
