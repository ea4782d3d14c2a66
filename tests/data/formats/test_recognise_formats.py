"""Every format knows its own folders and no other's, and gives samples back in the order they were written in."""

import json

import numpy as np
import pytest
from made_objects import picture, sample
from scipy.io import savemat

from edgecnn.core.registry import known
from edgecnn.core.results import Lanes, Scene
from edgecnn.data.formats.format import Fault, format_of
from edgecnn.data.formats.object_labels import LabelledObject
from edgecnn.data.sample import Sample

FORMATS = sorted(known("format"))


def scene(path, left):
    """Return a sample with lanes and a pedestrian, whose box tells it from others."""
    one = sample(picture(path), LabelledObject((left, 5, left + 9, 40), "pedestrian"))
    rows = np.arange(10, 48, 2, dtype=np.float32)
    lines = tuple(np.stack([x + rows / 4, rows], 1).astype(np.float32) for x in (8 + left, 40 + left))
    return Sample(one.image, Scene(Lanes(lines, 64, 48, (-1, 1), rows=rows), one.truth), ("day",), "made:1")


def recognisers(root):
    return [name for name in FORMATS if format_of(name).recognise(root)]


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_format_writes_only_it_recognises_and_reads_in_order(tmp_path, form):
    names = ("z/000007.png", "a/000003.png", "b/000003.png", "c/zebra.png", "d/ape.png", "e/000020.png")
    samples = [scene(tmp_path / name, 3 * number) for number, name in enumerate(names)]
    assert format_of(form).write(tmp_path / "out", iter(samples)) == len(samples)
    assert recognisers(tmp_path / "out") == [form]
    after = list(format_of(form).entries(tmp_path / "out"))
    assert not [one.text for one in after if isinstance(one, Fault)]
    assert [_left(one) for one in after] == pytest.approx([3 * number for number in range(len(names))], abs=1)


def _left(one):
    truth = one.truth.objects if isinstance(one.truth, Scene) else one.truth
    if isinstance(truth, Lanes):
        first = min(truth.lines, key=lambda line: line[-1, 0])
        return float(first[-1, 0] - 8 - first[-1, 1] / 4)
    return float(truth.boxes[0, 0])


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_of_pictures_and_other_files_is_nobodys(tmp_path, form):
    picture(tmp_path / "images/0.png")
    picture(tmp_path / "PNGImages/0.png")
    (tmp_path / "notes.json").write_text('{"images": [], "note": [1, 2]}')
    (tmp_path / "list.txt").write_text("/images/0.png\n")
    (tmp_path / "a.xml").write_text("<a/>")
    for folder in ("annotations", "Annotation", "Annotations", "label_2", "labels", "list"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "readme.txt").write_text("what lies here\n")
        (tmp_path / folder / "notes.json").write_text('[{"name": "x"}]\n')
        (tmp_path / folder / "notes.xml").write_text("<notes/>")
        (tmp_path / folder / "empty.txt").write_text("")
        (tmp_path / folder / "empty.json").write_text("")
        (tmp_path / folder / "bytes.txt").write_bytes(bytes(range(256)))
    assert not format_of(form).recognise(tmp_path)
    assert not format_of(form).recognise(tmp_path / "no such folder")


def test_citypersons_as_people_keep_it_is_read_once(tmp_path):
    folder = tmp_path / "gtBbox_cityPersons_trainval/gtBboxCityPersons/train/aachen"
    folder.mkdir(parents=True)
    (folder / "aachen_000000_000019_gtBboxCityPersons.json").write_text(
        json.dumps({"imgHeight": 1024, "imgWidth": 2048, "objects": []})
    )
    (tmp_path / "annotations").mkdir()
    savemat(tmp_path / "annotations/anno_train.mat", {"anno_train_aligned": np.empty((1, 0), object)})
    assert recognisers(tmp_path) == ["citypersons"]


def test_coco_beside_its_other_annotations_is_read_once(tmp_path):
    (tmp_path / "annotations").mkdir()
    image = {"id": 1, "file_name": "1.jpg", "width": 64, "height": 48}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    for name, annotation in (("instances", box), ("person_keypoints", box), ("captions", {"id": 1, "caption": "a"})):
        tree = {"images": [image], "annotations": [annotation], "categories": [{"id": 1, "name": "person"}]}
        (tmp_path / f"annotations/{name}_val2017.json").write_text(json.dumps(tree))
    assert recognisers(tmp_path) == ["coco"]
    assert [path.name for path in format_of("coco").label_files(tmp_path)] == ["instances_val2017.json"]
