"""What the engine adds to the contract: damage anywhere is noticed before ncnn sees it; options do what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_text import compare, compiled, opened, parsed, random_feeds

from edgecnn.core.errors import EngineError, InputError
from edgecnn.runtime.engines.ncnn_files import DESCRIPTION, PARAM, WEIGHTS
from edgecnn.runtime.engines.ncnn_files import opened as read

TEXT = """(float[1,3,12,12] x, float[16,3,3,3] w, float[16,16,3,3] w2) => (float[1,16,?,?] y) {
    c = Conv(x, w) r = Relu(c) y = Conv(r, w2)
}"""
MODEL = parsed(TEXT)
FILES = compiled(MODEL)


@settings(max_examples=120, deadline=None)
@given(name=st.sampled_from(sorted(FILES)), data=st.data())
def test_a_changed_byte_is_noticed(name, data):
    place = data.draw(st.integers(0, len(FILES[name]) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != FILES[name][place]))
    changed = bytearray(FILES[name])
    changed[place] = other
    if name == DESCRIPTION and bytes(changed).split() == FILES[name].split():
        return  # one space for another
    with pytest.raises(EngineError) as caught:
        read({**FILES, name: bytes(changed)})
    assert str(caught.value).startswith("ncnn")
    assert "\n" not in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data):
    with pytest.raises(EngineError):
        read({**FILES, DESCRIPTION: data})


def test_a_file_that_is_missing_is_named():
    with pytest.raises(EngineError, match=WEIGHTS):
        read({DESCRIPTION: FILES[DESCRIPTION], PARAM: FILES[PARAM]})


def test_a_description_of_another_format_says_so():
    with pytest.raises(EngineError, match="format 99"):
        read({**FILES, DESCRIPTION: b'{"format": 99}'})


def test_float_artefacts_compute_in_float_and_say_so():
    engine = opened(MODEL, FILES)
    facts = engine.facts()
    assert (facts["precision"], facts["weights"], facts["int8_layers"]) == ("fp32", "fp32", 0)
    engine.close()


@pytest.mark.parametrize("options", [{"winograd": False}, {"precision": "fp16"}, {"precision": "bf16"}, {"threads": 2}])
def test_options_stay_near_the_plain_answer(options):
    compare(MODEL, most=3e-2 if "precision" in options else 2e-5, **options)


def test_a_senseless_precision_is_refused():
    with pytest.raises(InputError, match="fp32, fp16 or bf16"):
        opened(MODEL, FILES, precision="int4")


def test_frames_that_are_views_are_read_as_they_look():
    engine, feeds = opened(MODEL, FILES), random_feeds(MODEL)
    wanted = engine.infer(feeds)["y"]
    turned = np.asfortranarray(feeds["x"])
    for _ in range(5):
        np.testing.assert_array_equal(engine.infer({"x": turned})["y"], wanted)
    engine.close()
