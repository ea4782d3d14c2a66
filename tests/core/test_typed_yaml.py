import string
import time

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core import typed_yaml
from edgecnn.core.errors import RecipeError


class Inner(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    epochs: int
    rate: float = 1e-3


class Outer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: str
    train: Inner
    params: dict[str, object] = {}
    parts: tuple[Inner, ...] = ()


GOOD = "name: x\ntrain:\n  epochs: 3\n  rate: 0.5\n"


def load(tmp_path, text, kind=Outer, **overrides):
    path = tmp_path / "r.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return typed_yaml.load(path, kind, overrides)


def refused(tmp_path, text, match, **overrides):
    with pytest.raises(RecipeError, match=match) as caught:
        load(tmp_path, text, **overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_file(tmp_path):
    assert load(tmp_path, GOOD) == Outer(name="x", train=Inner(epochs=3, rate=0.5))


def test_an_unknown_key_gives_file_line_key_and_the_nearest(tmp_path):
    text = refused(tmp_path, "name: x\ntrain:\n  epochs: 3\n  ratee: 1\n", "did you mean 'rate'")
    assert "r.yaml:4: train.ratee: unknown key 'ratee'" in text


def test_an_unknown_key_inside_a_list_is_found_too(tmp_path):
    text = refused(tmp_path, GOOD + "parts:\n- epochs: 1\n- epochs: 2\n  rte: 1\n", "did you mean 'rate'")
    assert "r.yaml:8: parts.1.rte" in text


def test_a_wrong_type_gives_line_and_key(tmp_path):
    assert "r.yaml:3: train.epochs: Expected `int`" in refused(tmp_path, "name: x\ntrain:\n  epochs: many\n", "epochs")


def test_a_missing_key_is_named(tmp_path):
    assert "r.yaml:2: train:" in refused(tmp_path, "name: x\ntrain:\n  rate: 0.5\n", "epochs")


def test_numbers_with_an_exponent_are_numbers(tmp_path):
    assert load(tmp_path, GOOD.replace("0.5", "1e-3")).train.rate == 0.001
    assert load(tmp_path, GOOD, **{"train.rate": "2E+2"}).train.rate == 200.0


def test_an_override_replaces_and_its_error_speaks_of_the_override(tmp_path):
    assert load(tmp_path, GOOD, **{"train.epochs": "7"}).train.epochs == 7
    refused(tmp_path, GOOD, "^--set train.epochs: Expected `int`", **{"train.epochs": "soon"})
    refused(tmp_path, GOOD, "^--set train.epoch: unknown key 'epoch'", **{"train.epoch": "1"})
    refused(tmp_path, GOOD, "'name' is a value, not a section", **{"name.first": "1"})
    refused(tmp_path, GOOD, "not valid YAML", name="[1")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"\xff\xfe\x00", "not UTF-8|not valid YAML"),
        ("", "must be a mapping"),
        ("- a\n- b\n", "must be a mapping"),
        ("just text", "must be a mapping"),
        ("name: [1, 2\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("name: x\nname: y\n", ":2: the key 'name' is given twice"),
        ("name: !!python/object/apply:os.system ['touch hacked']\n", "not valid YAML"),
        ("name: !!python/name:os.system\n", "not valid YAML"),
        ("name: !!python/object/new:subprocess.Popen [[touch, hacked]]\n", "not valid YAML"),
        ("name: !thing x\n", "not valid YAML"),
        ("name: 2020-99-99\n", "not valid YAML|Expected `str`"),
        ("? [a, b]\n: 1\n", "not valid YAML"),
        ("name: " + "9" * 5000 + "\n", "not valid YAML|Expected `str`"),
        ("name: &a [*a]\n", "holds itself"),
        ("name: &a {b: *a}\n", "holds itself"),
    ],
)
def test_what_is_no_recipe_is_one_clear_line(tmp_path, monkeypatch, text, match):
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, text, match)
    assert not (tmp_path / "hacked").exists()


def test_no_such_file(tmp_path):
    with pytest.raises(RecipeError, match="no such file"):
        typed_yaml.load(tmp_path / "none.yaml", Outer)
    with pytest.raises(RecipeError, match="no such file"):
        typed_yaml.load(tmp_path, Outer)


def bomb(width, depth, *, merge=False):
    link = "  <<: [{}]\n" if merge else "  x: [{}]\n"
    lines = [GOOD, "params:\n l0: &l0 {a: 1}\n"]
    lines += [f" l{i}: &l{i}\n" + link.format(", ".join([f"*l{i - 1}"] * width)) for i in range(1, depth)]
    return "".join(lines)


@pytest.mark.parametrize("text", [bomb(2, 40), bomb(9, 12), bomb(2, 24, merge=True)])
def test_an_alias_bomb_is_refused_at_once(tmp_path, text):
    started = time.process_time()
    refused(tmp_path, text, "once its aliases are written out")
    assert time.process_time() - started < 1.0


def test_a_few_aliases_are_fine(tmp_path):
    assert load(tmp_path, "name: x\ntrain: &t {epochs: 1}\nparts: [*t, *t]\n").parts[1].epochs == 1


def test_a_huge_file_is_not_even_parsed(tmp_path):
    refused(tmp_path, GOOD + "#" * typed_yaml.MAX_BYTES, "larger than")


@pytest.mark.parametrize("text", ["name: " + "[" * 50_000, "name: " + "[" * 5_000 + "]" * 5_000, "- " * 3_000 + "x"])
def test_deep_nesting_is_refused(tmp_path, text):
    refused(tmp_path, text, "not valid YAML|must be a mapping")


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(string.printable, max_size=12)
trees = st.recursive(
    scalars,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(string.ascii_letters, max_size=8), below, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["name", "train", "params", "parts", "nam", "x"]), trees, max_size=4))
def test_any_tree_loads_or_is_refused_in_one_line(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("yaml") / "r.yaml"
    path.write_text(yaml.safe_dump(tree))
    try:
        assert isinstance(typed_yaml.load(path, Outer), Outer)
    except RecipeError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_load_or_are_refused_in_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("yaml") / "r.yaml"
    path.write_bytes(data)
    with pytest.raises(RecipeError) as caught:
        typed_yaml.load(path, Outer)
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_the_line_named_is_the_line_of_the_key(tmp_path_factory, above, between):
    path = tmp_path_factory.mktemp("yaml") / "r.yaml"
    path.write_text("#\n" * above + "name: x\n" + "#\n" * between + "train:\n  epochs: [no]\n")
    with pytest.raises(RecipeError, match=rf"r\.yaml:{above + between + 3}: train\.epochs"):
        typed_yaml.load(path, Outer)
