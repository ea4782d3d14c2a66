"""The data stage: scenes are drawn in parts, and a part that a killed run finished is not drawn again."""

import json

import cv2
import msgspec
import numpy as np
import pytest

from edgecnn.core import atomic, shared
from edgecnn.core.errors import DataError
from edgecnn.core.recipe import DataSection, RoadSource, Source, load_recipe
from edgecnn.core.stage import Job
from edgecnn.data import stage
from edgecnn.data.formats.format import read
from edgecnn.data.road import write
from edgecnn.data.split import read_split
from edgecnn.data.stage import DataStage
from edgecnn.runtime.codecs.lane_rows import LaneRowsCodec


@pytest.fixture
def recipe(request):
    tiny = load_recipe(request.path.parents[1] / "tiny.yaml")
    small = [Source(road=RoadSource(frames=n, seed=n, width=160, height=90)) for n in (7, 2)]
    return msgspec.structs.replace(tiny, data=DataSection(train=small[0], val=small[1]))


def run(recipe, folder):
    out, partial = folder / "out", folder / "partial"
    out.mkdir(parents=True, exist_ok=True)
    partial.mkdir(exist_ok=True)
    DataStage().run(Job(recipe, {}, out, partial))
    DataStage().ensures(out)
    return out


def test_cut_off_between_parts_it_goes_on_and_ends_with_the_same_bytes(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "PART", 3)
    whole = run(recipe, tmp_path / "whole")
    write_labels, drawn = write.write_labels, []

    def write_then_die(path, records):
        records = list(records)
        write_labels(path, iter(records))
        drawn.extend(record["raw_file"][-10:-4] for record in records)
        if len(drawn) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(write, "write_labels", write_then_die)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "cut")
    del drawn[:]
    cut = run(recipe, tmp_path / "cut")
    assert drawn == ["000006", "000000", "000001"]  # the last scene of train, then val
    assert atomic.sha256_tree(cut) == atomic.sha256_tree(whole)
    assert len(list(read_split(cut, "train", recipe))) == 7
    assert len(list(read_split(cut, "val", recipe))) == 2


def test_a_data_set_on_disk_is_counted_and_keyed_by_its_labels(recipe, tmp_path):
    drawn = run(recipe, tmp_path / "drawn")
    on_disk = DataSection(train=Source(root=str(drawn / "train")), val=Source(root=str(drawn / "val")))
    real = msgspec.structs.replace(recipe, data=on_disk)
    before = DataStage().parameters(real)
    out = run(real, tmp_path / "real")
    told = (out / "data.json").read_bytes()
    assert [s.image.exists() for s in read_split(out, "train", recipe)] == [True] * 7
    labels = next((drawn / "train").glob("*.json"))
    labels.write_text(labels.read_text().replace('"tags"', '"marks"'))
    assert DataStage().parameters(real) != before
    # What later stages are keyed by is this file, so it has to change with the labels.
    assert (run(real, tmp_path / "again") / "data.json").read_bytes() != told


def test_scenes_with_people_are_written_with_their_objects(recipe, tmp_path):
    source = Source(road=RoadSource(frames=2, seed=1, width=160, height=90, conditions=("square",), people=True))
    out = run(msgspec.structs.replace(recipe, data=DataSection(train=source, val=source)), tmp_path)
    assert json.loads((out / "data.json").read_text())["train"]["format"] == "scenes"
    samples = list(read("scenes", out / "train"))
    assert len(samples) == 2
    assert all(sample.masks.is_file() for sample in samples)
    assert [len(sample.truth.objects.names) for sample in samples] == [8, 8]


def test_a_missing_folder_and_a_missing_label_file_are_named(recipe, tmp_path):
    for source in (Source(root=str(tmp_path / "none")), Source(root=str(tmp_path), labels=("absent.json",))):
        data = DataSection(train=source, val=source)
        with pytest.raises(DataError, match=r"none|absent\.json"):
            DataStage().parameters(msgspec.structs.replace(recipe, data=data))


def test_the_full_size_recipe_reads_the_published_layout(tmp_path):
    """`lane-tusimple` as far as its loader goes: several label files, 1280x720, lanes unordered, -2 absent."""
    record = {
        "lanes": [[-2, 700, 720, 740], [-2, -2, 500, 420], [-2, 900, 1100, 1279]],
        "h_samples": [240, 250, 400, 710],
        "raw_file": "clips/0313-1/6040/20.jpg",
    }
    for split, names in (
        ("train_set", ("label_data_0313.json", "label_data_0531.json", "label_data_0601.json")),
        ("test_set", ("test_label.json",)),
    ):
        picture = tmp_path / split / record["raw_file"]
        picture.parent.mkdir(parents=True)
        cv2.imwrite(str(picture), np.zeros((720, 1280, 3), np.uint8))
        for name in names:
            (tmp_path / split / name).write_text(json.dumps(record) + "\n" + json.dumps(record) + "\n")
    roots = {
        f"data.{key}.root": str(tmp_path / f"{folder}_set") for key, folder in (("train", "train"), ("val", "test"))
    }
    recipe = load_recipe(shared.find("recipes", "lane-tusimple"), roots)
    out = run(recipe, tmp_path / "work")
    train = list(read_split(out, "train", recipe))
    assert len(train) == 6
    assert len(list(read_split(out, "val", recipe))) == 2
    truth = train[0].truth
    assert (truth.width, truth.height, truth.rows.tolist()) == (1280, 720, [240, 250, 400, 710])
    assert sorted(truth.positions) == [-1, 1, 2]
    codec = LaneRowsCodec(recipe.model.decode)
    assert (codec.encode(truth)["column"] > -1).any(0).tolist() == [False, True, True, True]
