"""The recipes at full size, as far as the loader: published layouts, by hand and tiny, become batches of targets."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecnn.core.recipe import load_recipe
from edgecnn.core.stage import Job
from edgecnn.data.stage import DataStage
from edgecnn.train.stage import lessons

RECIPES = Path(__file__).parents[2] / "recipes"
FRAMES = 6


def picture(path, width, height):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))


def citypersons(root):
    for split in ("train", "val"):
        for number in range(FRAMES):
            stem = f"aachen_{number:06d}_000019"
            picture(root / f"leftImg8bit/{split}/aachen/{stem}_leftImg8bit.png", 2048, 1024)
            labels = root / "gtBbox_cityPersons_trainval/gtBboxCityPersons" / split / "aachen"
            labels.mkdir(parents=True, exist_ok=True)
            person = {"label": "pedestrian", "instanceId": 24000, "bbox": [900, 400, 82, 200]}
            told = [
                {**person, "bboxVis": [900, 400, 82, 150]},
                {"label": "person group", "instanceId": 24001, "bbox": [100, 380, 300, 150]},
            ]
            record = {"imgWidth": 2048, "imgHeight": 1024, "objects": told}
            (labels / f"{stem}_gtBboxCityPersons.json").write_text(json.dumps(record))


def culane(root):
    (root / "list").mkdir(parents=True)
    names = [f"/driver_23_30frame/05151640_0419.MP4/{number:05d}.jpg" for number in range(FRAMES)]
    for name in names:
        path = root / name[1:]
        picture(path, 1640, 590)
        lines = [" ".join(f"{x + (590 - y) * slope:.3f} {y}" for y in range(590, 270, -10)) for x, slope in SLOPES]
        path.with_suffix(".lines.txt").write_text("\n".join(lines))
    for split in ("train", "val"):
        masks = (f"{name} /laneseg_label_w16{name[:-3]}png 0 1 1 0\n" for name in names)
        (root / f"list/{split}_gt.txt").write_text("".join(masks))


SLOPES = ((300, 1.5), (1300, -1.5))


def bdd100k(root):
    for split in ("train", "val"):
        boxes, lanes = [], []
        for number in range(FRAMES):
            name = f"{number:08d}.jpg"
            picture(root / f"images/100k/{split}/{name}", 1280, 720)
            person = {"x1": 600.0, "y1": 300.0, "x2": 680.0, "y2": 500.0}
            car = {"x1": 100.0, "y1": 350.0, "x2": 300.0, "y2": 480.0}
            found = [
                {"id": str(place), "category": category, "box2d": box}
                for place, (category, box) in enumerate((("pedestrian", person), ("car", car)))
            ]
            attributes = {"weather": "clear", "scene": "city street", "timeofday": "daytime"}
            boxes.append({"name": name, "attributes": attributes, "labels": found})
            kind = {"laneDirection": "parallel", "laneStyle": "solid"}
            line = [{"vertices": [[200, 719], [600, 360]], "types": "LL", "closed": False}]
            lane = {"id": "9", "category": "lane/single white", "attributes": kind, "poly2d": line}
            lanes.append({"name": name, "attributes": attributes, "labels": [lane]})
        for path, frames in ((f"det_20/det_{split}", boxes), (f"lane/polygons/lane_{split}", lanes)):
            file = root / "labels" / f"{path}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(frames))


@pytest.mark.parametrize(
    ("name", "make"),
    [("pedestrian-citypersons", citypersons), ("lane-culane", culane), ("drive-bdd100k", bdd100k)],
)
def test_a_full_size_recipe_reads_its_data_set_s_published_layout(name, make, tmp_path):
    make(tmp_path / "set")
    root = str(tmp_path / "set")
    overrides = {"data.train.root": root, "data.val.root": root, "train.batch_size": "2"}
    recipe = load_recipe(RECIPES / f"{name}.yaml", overrides)
    out = tmp_path / "data"
    out.mkdir()
    stage = DataStage()
    stage.run(Job(recipe, {}, out, out))
    stage.ensures(out)
    partial = tmp_path / "train"
    partial.mkdir()
    data, held = lessons(Job(recipe, {"data": out}, partial, partial))
    assert (len(data), len(held)) == (FRAMES - 1, 1)
    image, targets = data[0]
    assert tuple(image.shape) == (recipe.model.frame.height, recipe.model.frame.width, 3)
    plain = data.codec.encode(data.samples[0].truth)
    assert set(targets) == set(plain)
    if "column" in plain:
        assert (plain["column"] > -1).any(axis=0).sum() == (2 if name == "lane-culane" else 1)
    if "heat" in plain:
        found = (plain["heat"] == 1).any(axis=(1, 2)).tolist()
        # Of drive's three classes there is no rider in the picture.
        assert found == ([True, False, True] if name == "drive-bdd100k" else [True])
        assert (plain["care"] == 0).any() == (name == "pedestrian-citypersons")
