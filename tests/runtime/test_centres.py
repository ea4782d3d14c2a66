"""The centres codec: what is encoded is decoded again, whatever the frame; ties give one box; labels become classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.errors import DataError, InputError
from edgecnn.core.results import Detections, Lanes, Scene
from edgecnn.core.tensor import Crop, FrameSpec
from edgecnn.runtime.codecs.centres import CentresCodec, peaks, strongest

NONE = np.zeros(0, np.float32)


def detections(boxes, names=("pedestrian",), labels=None, size=(640, 360), **more):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    labels = np.zeros(len(boxes), np.int64) if labels is None else np.array(labels, np.int64)
    return Detections(boxes, NONE, labels, *size, names, **more)


def perfect(targets):
    """Return the outputs of a network that has learnt the targets by heart."""
    return {name: targets[name][None] for name in ("heat", "size", "offset")}


frames = st.builds(
    FrameSpec,
    st.integers(90, 330),
    st.integers(90, 210),
    resize=st.sampled_from(["stretch", "letterbox"]),
    crop=st.builds(Crop, top=st.floats(0, 0.3), left=st.floats(0, 0.1)),
)


@given(frames, st.sampled_from([4, 8]), st.integers(300, 1400), st.integers(200, 800), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_boxes_come_back_from_their_maps_through_crop_stretch_and_letterbox(frame, stride, width, height, seed):
    codec = CentresCodec({"stride": stride, "classes": ["pedestrian", "car"], "min_score": 0.99}, frame)
    rng = np.random.default_rng(seed)
    # One in every quarter of what the network sees, so that none touches another.
    middle = np.array([[0.25, 0.3], [0.75, 0.3], [0.25, 0.8], [0.75, 0.8]]) + rng.uniform(-0.05, 0.05, (4, 2))
    half = rng.uniform(0.1, 0.15, (4, 2)) / 2
    sides = np.array([frame.width, frame.height])
    corners = np.stack([middle - half, middle + half], 1) * sides
    boxes = codec._geometry(width, height).to_frame(corners).reshape(-1, 4)
    high = corners[:, 1, 1] - corners[:, 0, 1] >= 2 * stride
    truth = detections(boxes, codec.params.classes, rng.integers(0, 2, 4), (width, height))
    targets = codec.encode(truth)
    assert all(targets[spec.name].shape == spec.shape[1:] for spec in codec.outputs)
    found = codec.decode(perfect(targets), width, height)
    assert len(found) == high.sum()
    assert (found.scores == 1).all()
    order = np.lexsort((found.boxes[:, 0], found.boxes[:, 1] > height / 2))
    wanted = truth.take(np.flatnonzero(high))
    again = np.lexsort((wanted.boxes[:, 0], wanted.boxes[:, 1] > height / 2))
    np.testing.assert_allclose(found.boxes[order], wanted.boxes[again], atol=0.02 * max(width, height) / 100)
    assert (found.labels[order] == wanted.labels[again]).all()


def test_a_centre_beyond_the_frame_is_told_by_the_nearest_cell():
    codec = CentresCodec({}, FrameSpec(320, 176))
    truth = detections([[600, 100, 700, 400], [-80, 20, 60, 220]])
    found = codec.decode(perfect(codec.encode(truth)), 640, 360)
    np.testing.assert_allclose(found.boxes[np.argsort(-found.boxes[:, 0])], truth.boxes, atol=0.05)


def test_a_cell_beside_the_centre_tells_the_same_box():
    codec = CentresCodec({}, FrameSpec(320, 176))
    truth = detections([[200, 60, 300, 310]])
    targets = codec.encode(truth)
    assert targets["weight"].sum() == pytest.approx(1)
    assert (targets["weight"] > 0).sum() > 4
    for row, column in np.argwhere(targets["weight"] > 0):
        moved = perfect(targets)
        moved["heat"] = np.zeros_like(moved["heat"])
        moved["heat"][0, 0, row, column] = 1
        np.testing.assert_allclose(codec.decode(moved, 640, 360).boxes, truth.boxes, atol=0.05)


def test_the_gaussian_has_the_shape_of_the_box_and_overlapping_ones_keep_the_nearer_s_size():
    codec = CentresCodec({}, FrameSpec(320, 176))
    targets = codec.encode(detections([[100, 50, 160, 250], [130, 100, 190, 240]]))
    heat = targets["heat"][0]
    assert (heat == 1).sum() == 2
    tall = heat[:, 32 // 2] > 0.1
    assert tall.sum() > (heat[np.argmax(heat.max(1))] > 0.1).sum() / 2
    heights = 4 * np.exp(targets["size"][0][targets["weight"] > 0])
    assert set(np.round(heights).tolist()) == {round(200 * 176 / 360), round(140 * 176 / 360)}


def test_nothing_is_learnt_of_background_in_ignored_regions_and_of_what_is_too_small():
    codec = CentresCodec({"classes": ["pedestrian", "car"]}, FrameSpec(320, 176))
    boxes = [[100, 100, 200, 200], [120, 110, 160, 190], [400, 100, 404, 110]]
    truth = detections(boxes, ("pedestrian", "car"), [0, 0, 1], ignore=np.array([True, False, False]))
    targets = codec.encode(truth)
    care = targets["care"]
    assert care[0, 15, 13] == 0  # inside the ignored region
    assert (care[0][targets["heat"][0] == 1] == 1).all()  # but the person in it is learnt
    assert care[1, 15, 13] == 1  # and so are the other class's cells
    assert set(np.argwhere(care[1] == 0)[:, 1].tolist()) == {50}
    assert (targets["heat"][1] == 0).all()
    empty = codec.encode(detections(np.zeros((0, 4)), ("pedestrian", "car")))
    assert (empty["care"] == 1).all()
    assert not empty["heat"].any()


def plain_peaks(heat, above):
    """Return the peaks by walking over each plateau of cells that no neighbour exceeds."""
    found = []
    for label, values in enumerate(heat):
        rows, columns = values.shape
        around = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        top = {
            (r, c)
            for r in range(rows)
            for c in range(columns)
            if values[r, c] > above
            and all(
                values[r + i, c + j] <= values[r, c] for i, j in around if 0 <= r + i < rows and 0 <= c + j < columns
            )
        }
        for cell in sorted(top):
            if cell not in top:
                continue
            found.append((label, *cell))
            todo = [cell]
            while todo:
                r, c = todo.pop()
                top.discard((r, c))
                todo += [(r + i, c + j) for i, j in around if (r + i, c + j) in top]
    return found


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 12), st.integers(2, 6), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_peaks_are_those_of_plain_loops_also_on_plateaus(classes, rows, columns, levels, seed):
    heat = np.random.default_rng(seed).integers(0, levels, (classes, rows, columns)).astype(np.float32) / levels
    assert np.stack(peaks(heat, 0.3), 1).tolist() == [list(peak) for peak in plain_peaks(heat, 0.3)]


def maps(codec, peak, sides, around):
    """Outputs with a peak of heat 1 that says a box of `sides`, in cells; cells beside it say (heat, sides)."""
    rows, columns = codec._map()
    heat, size, offset = np.zeros((1, rows, columns)), np.zeros((2, rows, columns)), np.zeros((2, rows, columns))
    for (down, across), (value, told) in {peak: (1.0, sides), **around}.items():
        heat[0, down, across] = value
        size[:, down, across] = np.log(told)
        offset[:, down, across] = peak[0] - down + 0.5, peak[1] - across + 0.5
    return {name: each[None].astype(np.float32) for name, each in (("heat", heat), ("size", size), ("offset", offset))}


def test_cells_beside_a_peak_that_speak_of_the_same_object_have_a_say():
    codec = CentresCodec({"stride": 4}, FrameSpec(80, 80))
    # Of a box 8 cells high and 4 wide, one neighbour says 10 x 4 and counts half; another speaks of something else.
    outputs = maps(codec, (9, 9), (8.0, 4.0), {(9, 10): (0.5, (10.0, 4.0)), (8, 9): (0.9, (2.0, 2.0))})
    found = codec.decode(outputs, 80, 80)
    middle, high, wide = 4 * 9.5, 4 * (8 + 0.5 * 10) / 1.5, 4 * 4
    wanted = [middle - wide / 2, middle - high / 2, middle + wide / 2, middle + high / 2]
    np.testing.assert_allclose(found.boxes, [wanted], rtol=1e-5)
    assert found.scores.tolist() == [1]


@pytest.mark.parametrize("peak", [(0, 0), (0, 19), (19, 0), (19, 19)])
@pytest.mark.parametrize("most", [0.0, 0.6, 1.0])
def test_a_peak_in_the_map_s_corner_speaks_for_itself(peak, most):
    codec = CentresCodec({"stride": 4, "max_overlap": most}, FrameSpec(80, 80))
    found = codec.decode(maps(codec, peak, (3.0, 2.0), {}), 80, 80)
    y, x = (4 * (place + 0.5) for place in peak)
    np.testing.assert_allclose(found.boxes, [[x - 4, y - 6, x + 4, y + 6]], rtol=1e-5)


def test_a_flat_map_gives_one_box_and_an_empty_one_none():
    codec = CentresCodec({}, FrameSpec(64, 64))
    outputs = {name: np.full(spec.shape, 0.5, np.float32) for spec in codec.outputs for name in [spec.name]}
    assert len(codec.decode(outputs, 640, 360)) == 1
    outputs["heat"][:] = 0
    found = codec.decode(outputs, 640, 360)
    assert len(found) == 0
    assert found.names == ("pedestrian",)
    assert found.to_json()["boxes"] == []


def test_the_likeliest_come_first_equal_ones_in_the_map_s_order_and_no_more_than_asked_for():
    codec = CentresCodec({"top_k": 3}, FrameSpec(64, 64))
    outputs = {spec.name: np.zeros(spec.shape, np.float32) for spec in codec.outputs}
    outputs["size"][:] = np.log(2)
    for row, column, score in ((12, 3, 0.5), (2, 9, 0.5), (2, 2, 0.5), (8, 8, 0.9)):
        outputs["heat"][0, 0, row, column] = score
    found = codec.decode(outputs, 64, 64)
    np.testing.assert_allclose(found.scores, [0.9, 0.5, 0.5])
    assert (found.boxes.mean(1) * 0 + (found.boxes[:, 0] + 4) / 4).tolist() == [8, 2, 9]


@given(st.integers(0, 12), st.floats(0, 1), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_stronger_of_two_that_overlap_stays(count, most, seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 6, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 6, (count, 2))], 1).astype(np.float32)
    labels = rng.integers(0, 2, count)
    kept = []
    for i in range(count):
        if not any(labels[i] == labels[j] and iou(boxes[i], boxes[j]) > most for j in kept):
            kept.append(i)
    assert np.flatnonzero(strongest(boxes, labels, most)).tolist() == kept


def iou(one, other):
    wide, high = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0)
    area = (one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - wide * high
    return wide * high / area if area > 0 else 0


def labelled(names, ignore=None):
    boxes = [[i, 0, i + 1, 2] for i in range(len(names))]
    given = tuple(dict.fromkeys(names))
    return detections(boxes, given, [given.index(name) for name in names], ignore=np.array(ignore or [], bool))


def test_truth_takes_its_classes_and_ignores_other_persons_and_regions():
    codec = CentresCodec({})
    names = ["pedestrian", "rider", "car", "people", "ignore", "pedestrian"]
    found = codec.truth(labelled(names, [False, False, False, True, True, True]))
    assert found.names == ("pedestrian",)
    assert found.boxes[:, 0].tolist() == [0, 1, 3, 4, 5]
    assert found.ignore.tolist() == [False, True, True, True, True]
    assert set(found.labels.tolist()) == {0}


def test_truth_of_several_classes_has_a_region_once_for_each():
    codec = CentresCodec({"classes": ["car", "rider", "pedestrian"]})
    found = codec.truth(labelled(["rider", "sitting person", "ignore", "tree", "car"]))
    assert found.labels.tolist() == [1, 2, 0, 1, 2, 0]
    assert found.ignore.tolist() == [False, True, True, True, True, False]
    cars = CentresCodec({"classes": ["car"]}).truth(labelled(["people", "car"], [True, False]))
    assert cars.boxes[:, 0].tolist() == [1]
    assert not cars.ignored.any()


def test_truth_takes_the_objects_of_a_scene_and_refuses_lanes():
    codec = CentresCodec({})
    lanes = Lanes((), 640, 360)
    assert len(codec.truth(Scene(lanes, labelled(["pedestrian"])))) == 1
    with pytest.raises(DataError, match="lanes where objects are needed"):
        codec.truth(lanes)
    with pytest.raises(DataError, match="no names"):
        codec.truth(detections([[0, 0, 1, 1]], ()))


@pytest.mark.parametrize(
    "params", [{"clases": []}, {"classes": []}, {"classes": ["a", "a"]}, {"stride": 5}, {"top_k": 0}]
)
def test_bad_parameters_are_one_clear_line(params):
    with pytest.raises(InputError, match="decode parameters of centres") as caught:
        CentresCodec(params)
    assert "\n" not in str(caught.value)


def test_without_a_frame_there_is_no_map():
    with pytest.raises(InputError, match="give the codec the frame"):
        CentresCodec({}).encode(detections([[0, 0, 10, 10]]))


def test_what_is_acted_on_is_as_sure_as_the_bundle_says():
    codec = CentresCodec({"min_score": 0.5}, FrameSpec(64, 64))
    boxes = np.array([[0, 0, 8, 16], [20, 20, 28, 36]], np.float32)
    found = Detections(boxes, np.array([0.6, 0.4], np.float32), np.zeros(2, np.int64), 64, 64, ("pedestrian",))
    assert codec.sure(found).scores.tolist() == pytest.approx([0.6])
