import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.core.errors import InputError
from edgecnn.core.results import Detections, Lanes, result_from_json

pixel = st.floats(-100, 2000, width=32)
line = st.lists(st.tuples(pixel, pixel), min_size=2, max_size=8).map(lambda points: np.array(points, np.float32))


@given(st.lists(line, max_size=5), st.booleans(), st.booleans())
def test_lanes_come_back_as_they_were_written(lines, placed, scored):
    count = len(lines)
    lanes = Lanes(
        tuple(lines),
        640,
        360,
        tuple(range(1, count + 1)) if placed else (),
        np.linspace(0, 1, count, dtype=np.float32) if scored else np.zeros(0, np.float32),
    )
    written = json.loads(json.dumps(lanes.to_json()))
    back = result_from_json(written)
    assert isinstance(back, Lanes)
    assert back.to_json() == written
    assert all(np.allclose(a, b, atol=0.006) for a, b in zip(back.lines, lanes.lines, strict=True))
    assert back.lines == () or back.lines[0].dtype == np.float32


@pytest.mark.parametrize("names", [(), ("car", "person")])
def test_detections_come_back_as_they_were_written(names):
    boxes = np.array([[1, 2, 30, 40], [5, 6, 70, 80]], np.float32)
    found = Detections(boxes, np.array([0.5, 0.25], np.float32), np.array([0, 1]), 640, 360, names)
    back = result_from_json(json.loads(json.dumps(found.to_json())))
    assert isinstance(back, Detections)
    assert back.to_json() == found.to_json()


@pytest.mark.parametrize(
    "tree", [{}, {"lines": [{}]}, {"lines": 3}, {"width": 1, "height": 1, "lines": [{"position": 1}]}]
)
def test_anything_else_is_one_clear_error(tree):
    with pytest.raises(InputError, match="not a result in JSON form"):
        result_from_json(tree)
