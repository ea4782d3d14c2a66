"""ONNX Runtime's own format: it runs here as well, and its list names what a minimal build has to keep."""

import numpy as np
import pytest
from contract_networks import frame_network

from edgecnn.compile.onnxruntime_float_from_onnx import compile_for_coreml, compile_for_cuda
from edgecnn.compile.onnxruntime_mobile_from_onnx import FILE, OPERATORS, compile_model
from edgecnn.core.errors import EngineError
from edgecnn.core.registry import TARGETS
from edgecnn.runtime.engines.onnxruntime import open_engine


def saved(folder, network):
    source = folder / "source.onnx"
    source.write_bytes(network.model.SerializeToString())
    return source


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_it_computes_what_the_onnx_file_says_and_lists_its_operators(tmp_path, precision):
    network = frame_network(33, 17)
    if precision == "int8":
        network = network.quantized(TARGETS["onnxruntime-mobile"].scheme)
    made = compile_model(saved(tmp_path, network), tmp_path / "out", precision)
    assert [file.name for file in made.files] == [FILE, OPERATORS]
    engine = open_engine(
        {file.name: file.read_bytes() for file in made.files}, network.inputs, network.outputs, {"threads": 1}
    )
    feeds = network.feeds(0)
    got, wanted = engine.infer(feeds), network.reference(feeds)
    for name in wanted:
        np.testing.assert_allclose(got[name], wanted[name], atol=max(network.step, 1e-4))
    engine.close()
    listed = made.files[1].read_text()
    assert str(tmp_path) not in listed
    assert ("QLinearConv" if precision == "int8" else "Conv") in listed
    assert all(line.count(";") == 2 for line in listed.splitlines() if line)


def test_what_is_no_model_is_one_line(tmp_path):
    (tmp_path / "source.onnx").write_bytes(b"junk" * 20)
    with pytest.raises(EngineError) as caught:
        compile_model(tmp_path / "source.onnx", tmp_path / "out", "fp32")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("compiler", "instead"), [(compile_for_cuda, "tensorrt"), (compile_for_coreml, "coreml")])
def test_providers_without_int8_say_what_has_it(tmp_path, compiler, instead):
    source = saved(tmp_path, frame_network(7, 5))
    assert compiler(source, tmp_path / "out", "fp32").files[0].read_bytes() == source.read_bytes()
    for precision in ("int8", "mixed"):
        with pytest.raises(EngineError, match=instead):
            compiler(source, tmp_path / "out", precision)
