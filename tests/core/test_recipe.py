import json

import jsonschema
import msgspec
import pytest
import yaml

from edgecnn.core import shared
from edgecnn.core.errors import RecipeError
from edgecnn.core.recipe import Recipe, load_recipe, schema


@pytest.fixture
def tree():
    return yaml.safe_load(shared.find("recipes", "lane-quickstart").read_text())


def read(tmp_path, tree, **overrides):
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return load_recipe(path, overrides)


@pytest.mark.parametrize("name", shared.names("recipes"))
def test_every_recipe_that_ships_reads_and_holds_its_own_schema(name):
    path = shared.find("recipes", name)
    assert load_recipe(path).name == name
    jsonschema.validate(yaml.safe_load(path.read_text()), schema())


def test_a_recipe_survives_a_round_trip(tmp_path, tree):
    recipe = read(tmp_path, tree)
    assert msgspec.convert(json.loads(msgspec.json.encode(recipe)), Recipe) == recipe


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("task", "lane", r"r\.yaml:2: task: unknown task 'lane' \(did you mean 'lanes'"),
        ("targets", ["openvno"], r"targets: unknown target 'openvno' \(did you mean 'openvino'"),
        ("targets", [], "targets: name at least one of"),
        ("targets", "openvino", "targets: Expected `array`"),
        ("seed", "seven", "seed: Expected `int`"),
        ("sed", 7, r"sed: unknown key 'sed' \(did you mean 'seed'"),
        ("train", None, "train: Expected `object`"),
    ],
)
def test_a_wrong_value_is_named_with_line_and_key(tmp_path, tree, key, value, match):
    with pytest.raises(RecipeError, match=match):
        read(tmp_path, tree | {key: value})


def test_an_unknown_model_or_format_is_named(tmp_path, tree):
    tree["model"]["name"] = "lane_row"
    with pytest.raises(RecipeError, match=r"model\.name: unknown model 'lane_row' \(did you mean 'lane_rows'"):
        read(tmp_path, tree)
    tree["model"]["name"] = "lane_rows"
    with pytest.raises(RecipeError, match=r"data\.val\.format: unknown format 'tusimpel' \(did you mean 'tusimple'"):
        read(tmp_path, tree, **{"data.val.format": "tusimpel"})


def test_gates_are_read_with_the_recipe(tmp_path, tree):
    tree.setdefault("verify", {})["gates"] = ["accuracy[night] >= 0.9", "accuracy[nite >= 0.9"]
    with pytest.raises(RecipeError, match=r"verify\.gates\.1: gate 'accuracy\[nite >= 0\.9': write FIGURE"):
        read(tmp_path, tree)
    tree["verify"]["gates"] = ["acuracy[night] >= 0.9"]
    with pytest.raises(RecipeError, match=r"verify\.gates\.0: .*unknown figure 'acuracy' \(did you mean 'accuracy'"):
        read(tmp_path, tree)
    tree["verify"]["gates"] = ["accuracy[night] >= 0.9"]
    assert read(tmp_path, tree).verify.gates == ("accuracy[night] >= 0.9",)


def test_an_override_is_blamed_for_what_it_did(tmp_path, tree):
    with pytest.raises(RecipeError, match=r"^--set task: unknown task 'x'"):
        read(tmp_path, tree, task="x")
    assert read(tmp_path, tree, **{"train.epochs": "2"}).train.epochs == 2


def test_a_source_is_either_made_or_on_disk(tmp_path, tree):
    for source in ({}, {"root": "a", "road": {"frames": 1, "seed": 1}}):
        tree["data"]["val"] = source
        with pytest.raises(RecipeError, match=r"data\.val: give either `root`"):
            read(tmp_path, tree)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.epochs", "0"),
        ("train.batch_size", "-1"),
        ("train.learning_rate", "0"),
        ("train.learning_rate", ".nan"),
        ("train.learning_rate", ".inf"),
        ("train.ema_decay", "1.0"),
        ("train.threads", "0"),
        ("train.texture", "1"),
        ("train.epochs", "3.5"),
        ("seed", "-1"),
        ("data.train.road.frames", "0"),
        ("bench.seconds", "-.inf"),
        ("verify.max_drop", "-1"),
        ("model.frame.width", "0"),
        ("name", "../elsewhere"),
        ("name", "a/b"),
        ("name", "''"),
        ("name", "'a b'"),
        ("name", "x\u2028y"),
    ],
)
def test_a_value_out_of_its_range_is_refused(tmp_path, tree, key, value):
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, tree, **{key: value})
    assert key.rpartition(".")[0] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_texture_without_augmentation_is_refused(tmp_path, tree):
    with pytest.raises(RecipeError, match=r"train: `texture` comes with augmentation"):
        read(tmp_path, tree, **{"train.texture": "0.5", "train.augment": "null"})


def test_a_name_that_ends_in_a_line_break_is_refused(tmp_path, tree):
    with pytest.raises(RecipeError, match="name: Expected `str` matching"):
        read(tmp_path, tree | {"name": "fine\n"})
