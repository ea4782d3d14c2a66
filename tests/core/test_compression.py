"""The `compress` list of a recipe: what it may say, in which order, and the one line for what it may not."""

import jsonschema
import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.core import shared
from edgecnn.core.compression import misplaced
from edgecnn.core.errors import RecipeError
from edgecnn.core.recipe import QuantizeSection, Recipe, load_recipe, schema

PRUNE = {"prune": {"speedup": 2.0}}
NAMES = ("low_rank", "prune", "finetune", "sparsify", "qat", "quantize")


@pytest.fixture
def read(tmp_path):
    def read(steps, *, section=None, **overrides):
        tree = yaml.safe_load(shared.find("recipes", "lane-quickstart").read_text())
        tree.pop("quantize", None)
        tree |= {"compress": steps} | ({"quantize": section} if section is not None else {})
        path = tmp_path / "r.yaml"
        path.write_text(yaml.safe_dump(tree, sort_keys=False))
        return load_recipe(path, overrides)

    return read


@pytest.mark.parametrize(
    "steps",
    [
        [PRUNE, {"finetune": {"epochs": 6, "distill": {"outputs": 1.0, "features": 0.5}}}],
        [{"low_rank": {}}, PRUNE, {"qat": {}}],
        [
            {"low_rank": {}},
            {"finetune": {}},
            PRUNE,
            {"finetune": {"distill": None}},
            {"sparsify": {}},
            {"finetune": {}},
        ],
        [PRUNE, PRUNE],
        [],
    ],
)
def test_sensible_orders_are_read_and_hold_the_schema(read, steps):
    recipe = read(steps)
    assert [step.name for step in recipe.compress] == [next(iter(step)) for step in steps]
    jsonschema.validate(steps, compress_schema())
    assert msgspec.json.decode(msgspec.json.encode(recipe), type=Recipe) == recipe


def compress_schema():
    whole = schema()
    return {"$defs": whole["$defs"], **whole["$defs"]["Recipe"]["properties"]["compress"]}


def test_quantize_may_end_the_list_and_qat_brings_it(read):
    recipe = read([PRUNE, {"quantize": {"precision": "mixed"}}])
    assert recipe.quantize == QuantizeSection(precision="mixed")
    assert [step.name for step in recipe.compress] == ["prune"]
    recipe = read([{"qat": {}}])
    assert (recipe.quantize, [step.name for step in recipe.compress]) == (QuantizeSection(), ["qat"])
    assert read([{"qat": {}}], section={"ranges": "mse"}).quantize.ranges == "mse"
    assert read([PRUNE]).quantize is None


@pytest.mark.parametrize(
    ("steps", "match"),
    [
        ([{"finetune": {}}], r"compress\.0: finetune .* nothing to recover from before it; put it after low_rank"),
        ([{"qat": {}}, PRUNE], r"compress\.1: prune .* qat trains the finished network"),
        ([{"qat": {}}, {"low_rank": {}}], "put it before qat"),
        ([PRUNE, {"qat": {}}, {"finetune": {}}], "put it before qat"),
        ([{"qat": {}}, {"qat": {}}], "trained once"),
        ([{"quantize": {}}, PRUNE], r"compress\.0: quantize .* has to come last, and prune comes after it"),
        ([{"sparsify": {}}, PRUNE], "break the 2:4 pattern"),
        ([{"sparsify": {}}, {"sparsify": {}}], "already"),
        ([PRUNE, {"finetune": {}}, {"finetune": {}}], "follows another finetune"),
    ],
)
def test_nonsense_is_refused_with_its_reason_in_one_line(read, steps, match):
    with pytest.raises(RecipeError, match=match) as caught:
        read(steps)
    assert "r.yaml:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_quantize_is_said_once(read):
    with pytest.raises(RecipeError, match="section `quantize` too"):
        read([{"quantize": {}}], section={})


@pytest.mark.parametrize(
    ("step", "match"),
    [
        ({}, "not none"),
        ({"prune": {"speedup": 2}, "finetune": {}}, r"not 2 \(prune, finetune\)"),
        ({"prune": {}}, "say how far"),
        ({"prune": {"speedup": 2.0, "times": "board.json", "precision": "int8"}}, "leave one of"),
        ({"prune": None}, "Expected `object`"),
        ({"prune": {"speedup": 2, "latency_ms": 3}}, "not both"),
        ({"prune": {"speedup": 1}}, "speedup"),
        ({"prune": {"speedup": 2, "shares": [0.5]}}, "rise to 1"),
        ({"prune": {"speedup": 2, "shares": [0.7, 0.5, 1]}}, "rise to 1"),
        ({"prune": {"speedup": 2, "target": "openvin"}}, "did you mean 'openvino'"),
        ({"prune": {"speedup": 2, "criterion": "tayler"}}, "did you mean 'taylor'"),
        ({"prune": {"sped": 2}}, "did you mean 'speedup'"),
        ({"purne": {"speedup": 2}}, "did you mean 'prune'"),
        ({"finetune": {"distill": {"outputs": 0, "features": 0, "labels": 0}}}, "nothing to learn from"),
    ],
)
def test_a_wrong_step_is_named(read, step, match):
    with pytest.raises(RecipeError, match=match) as caught:
        read([{"low_rank": {}}, step])
    assert "compress.1" in str(caught.value)


def test_an_entry_of_the_list_is_overridden_by_its_place(read):
    assert read([PRUNE], **{"compress.0.prune.speedup": "3"}).compress[0].prune.speedup == 3
    with pytest.raises(RecipeError, match=r"--set compress\.1\.prune\.speedup: '1' is no entry of a list of 1"):
        read([PRUNE], **{"compress.1.prune.speedup": "3"})
    with pytest.raises(RecipeError, match=r"^--set compress\.0\.prune\.target: unknown target"):
        read([PRUNE], **{"compress.0.prune.target": "x"})


@given(st.lists(st.sampled_from(NAMES), max_size=6))
def test_what_is_taken_keeps_every_rule(names):
    found = misplaced(names)
    if found is not None:
        assert found[1].startswith(names[found[0]])
        return
    assert "quantize" not in names[:-1]
    assert set(names[names.index("qat") + 1 :] if "qat" in names else []) <= {"quantize"}
    assert not {"prune", "low_rank", "sparsify"} & set(
        names[names.index("sparsify") + 1 :] if "sparsify" in names else []
    )
    assert names[:1] != ["finetune"]
