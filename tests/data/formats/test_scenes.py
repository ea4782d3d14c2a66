"""The native layout: nothing is lost on the way to a disk and back, what is broken is named by file and line."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.errors import DataError
from edgecnn.core.registry import resolve
from edgecnn.core.results import Detections, Lanes, Scene
from edgecnn.data.formats.format import Fault, read
from edgecnn.data.formats.scenes import FORMAT, record
from edgecnn.data.sample import Sample, read_image

WIDTH, HEIGHT = 64, 48
numbers = st.floats(-1e6, 1e6, width=32)
words = st.text(st.characters(codec="utf-8"), max_size=8)


@st.composite
def lanes(draw):
    count = draw(st.integers(0, 3))
    lines = [
        np.array(draw(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=4)), np.float32) for _ in range(count)
    ]
    positions = tuple(draw(st.lists(st.integers(-3, 3), min_size=count, max_size=count))) if draw(st.booleans()) else ()
    scores = np.array(
        draw(st.lists(numbers, min_size=count, max_size=count)) if draw(st.booleans()) else [], np.float32
    )
    rows = np.array(draw(st.lists(numbers, max_size=4)), np.float32)
    return Lanes(tuple(lines), WIDTH, HEIGHT, positions, scores, rows)


@st.composite
def objects(draw):
    count = draw(st.integers(0, 3))

    def many(of):
        return draw(st.lists(of, min_size=count, max_size=count))

    box = st.tuples(numbers, numbers, numbers, numbers)
    names = tuple(draw(st.lists(words, min_size=1, max_size=3, unique=True))) if draw(st.booleans()) else ()
    return Detections(
        np.array(many(box), np.float32).reshape(-1, 4),
        np.array(many(numbers) if draw(st.booleans()) else [], np.float32),
        np.array(many(st.integers(0, len(names) - 1 if names else 5)), np.int64),
        WIDTH,
        HEIGHT,
        names,
        np.array(many(box) if draw(st.booleans()) else [], np.float32).reshape(-1, 4),
        np.array(many(st.booleans()) if draw(st.booleans()) else [], np.bool_),
        tuple(many(st.dictionaries(words, st.integers() | words | st.lists(numbers, max_size=2), max_size=2))),
    )


def same(one, two):
    assert type(one) is type(two)
    if isinstance(one, Scene):
        same(one.lanes, two.lanes)
        same(one.objects, two.objects)
        return
    assert (one.width, one.height) == (two.width, two.height)
    assert np.array_equal(one.scores, two.scores)
    if isinstance(one, Lanes):
        assert len(one.lines) == len(two.lines)
        assert all(np.array_equal(a, b) for a, b in zip(one.lines, two.lines, strict=True))
        assert (one.positions, one.rows.tolist()) == (two.positions, two.rows.tolist())
        return
    assert one.names == two.names
    for name in ("boxes", "labels", "visible", "ignored"):
        first, second = getattr(one, name), getattr(two, name)
        assert first.dtype == second.dtype
        assert np.array_equal(first, second), name
    assert (one.attributes or ({},) * len(one)) == (two.attributes or ({},) * len(two))


@pytest.fixture
def root(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((HEIGHT, WIDTH, 3), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "m.png"), np.full((HEIGHT, WIDTH), 300, np.uint16))
    return tmp_path


@settings(max_examples=60, deadline=None)
@given(st.one_of(lanes(), objects(), st.builds(Scene, lanes(), objects())), st.lists(words, max_size=3))
def test_nothing_is_lost(tmp_path_factory, truth, tags):
    folder = tmp_path_factory.mktemp("set")
    cv2.imwrite(str(folder / "a.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    written = Sample(folder / "a.png", truth, tuple(tags))
    assert FORMAT.write(folder / "out", [written, written]) == 2
    for back in read("scenes", folder / "out"):
        same(back.truth, truth)
        assert back.tags == tuple(tags)
        assert back.masks is None


def test_pictures_and_masks_are_copied_whole(root):
    nobody = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), WIDTH, HEIGHT)
    FORMAT.write(root / "out", [Sample(root / "a.png", nobody, ("day",), masks=root / "m.png")])
    (sample,) = read("scenes", root / "out")
    assert sample.image == root / "out/images/0000/000000.png"
    assert sample.where == f"{root / 'out/labels.jsonl'}:1"
    assert np.array_equal(read_image(sample.image), read_image(root / "a.png"))
    masks = cv2.imread(str(sample.masks), cv2.IMREAD_UNCHANGED)
    assert masks.dtype == np.uint16
    assert (masks == 300).all()


def test_the_registry_knows_it_and_it_knows_itself(root):
    assert resolve("format", "scenes") is FORMAT
    assert not FORMAT.recognise(root)
    (root / "labels.jsonl").write_text(json.dumps(GOOD) + "\n")
    assert FORMAT.recognise(root)


GOOD = {
    "image": "a.png",
    "width": WIDTH,
    "height": HEIGHT,
    "lanes": {"lines": [{"points": [[1, 2], [3, 4.5]]}]},
    "names": ["pedestrian"],
    "objects": [{"box": [1, 2, 3, 4], "label": "pedestrian"}],
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("not json", "no label line"),
        ('{"image": "a.png"', "no label line"),
        ([1], "no label line"),
        ({"image": ""}, "path of a picture"),
        ({"width": 0}, "size in pixels"),
        ({"width": "64"}, r"\$\.width"),
        ({"weather": "rain"}, "weather"),
        ({"lanes": None, "objects": None}, "neither 'lanes' nor 'objects'"),
        ({"lanes": {"lines": [{"points": [[1, 2]]}]}}, "lane 0 has 1 points"),
        ({"lanes": {"lines": [{"points": [[1, 2], [1, 1e300]]}]}}, "lane 0 must hold finite"),
        (
            {"lanes": {"lines": [{"points": [[1, 2], [1, 3]], "position": 1}, {"points": [[1, 2], [1, 3]]}]}},
            "1 of 2 lack it",
        ),
        ({"objects": [{"box": [1, 2, 3], "label": "pedestrian"}]}, r"\$\.objects\[0\]\.box"),
        ({"objects": [{"box": [1, 2, 3, 4], "label": "person"}]}, "'person' is not among 'names'"),
        ({"objects": [{"box": [1, 2, 3, 4], "label": 0}]}, "0 is not among 'names'"),
        ({"tags": "day"}, r"\$\.tags"),
    ],
)
def test_a_broken_line_is_a_fault_with_file_and_line_and_the_rest_is_read(root, change, words):
    broken = (
        change if isinstance(change, str) else json.dumps({**GOOD, **change} if isinstance(change, dict) else change)
    )
    (root / "labels_1.jsonl").write_text(f"{json.dumps(GOOD)}\n\n{broken}\n{json.dumps(GOOD)}\n")
    first, fault, last = FORMAT.entries(root)
    assert isinstance(first, Sample)
    assert isinstance(last, Sample)
    assert isinstance(fault, Fault)
    assert fault.where == f"{root / 'labels_1.jsonl'}:3"
    with pytest.raises(DataError, match=words):
        raise DataError(fault.text)


def test_no_folder_no_labels_and_what_it_cannot_express(root):
    with pytest.raises(DataError, match="no such folder"):
        FORMAT.label_files(root / "none")
    with pytest.raises(DataError, match=r"no labels\*\.jsonl"):
        FORMAT.label_files(root)
    with pytest.raises(DataError, match="can't be read"):
        list(FORMAT.entries(root, ("absent.jsonl",)))
    with pytest.raises(DataError, match="neither lanes nor objects"):
        record("a.png", "a word")
