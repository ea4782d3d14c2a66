"""Entries of a long JSON list: the same as a JSON library's whatever the chunks, and each fault has its line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.errors import DataError
from edgecnn.data.formats import json_entries as module
from edgecnn.data.formats.format import Fault
from edgecnn.data.formats.json_entries import Cut, json_entries

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=4), values, max_size=3)


@pytest.fixture
def cut(tmp_path, monkeypatch):
    """Write a text and return its entries, read in chunks of so many bytes."""

    def entries(text, chunk=1 << 20):
        monkeypatch.setattr(module, "_CHUNK", chunk)
        path = tmp_path / "list.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return list(json_entries(path))

    return entries


def test_entries_are_those_of_json_in_any_chunks_and_layout(tmp_path_factory):
    path = tmp_path_factory.mktemp("json") / "list.json"

    @given(st.lists(objects, max_size=4), st.integers(1, 9), st.sampled_from([None, 0, 2]), st.booleans())
    @settings(max_examples=60)
    def same(entries, chunk, indent, wrapped):
        tree = {"config": {"frames": [1]}, "frames": entries, "more": [2]} if wrapped else entries
        path.write_text(json.dumps(tree, indent=indent, ensure_ascii=False))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_CHUNK", chunk)
            found = list(json_entries(path))
        assert [json.loads(one.text) for one in found] == entries
        lines = path.read_text().split("\n")
        for one in found:
            first = one.text.decode().split("\n")[0]
            assert first in lines[int(one.where.rpartition(":")[2]) - 1]

    same()


@pytest.mark.parametrize("chunk", [1, 3, 1 << 20])
def test_lines_are_counted_from_one(cut, chunk):
    found = cut('\n[\n  {"a": "]}\\""},\n\n  {"b":\n 1}\n]', chunk)
    assert [one.where.rpartition(":")[2] for one in found] == ["3", "5"]


@pytest.mark.parametrize("chunk", [2, 1 << 20])
@pytest.mark.parametrize(
    ("text", "entries", "line", "words"),
    [
        ("", 0, None, "no JSON list"),
        ('{"images": [{}]}', 0, None, "no JSON list"),
        ('"frames', 0, None, "no JSON list"),
        ('[{"a": 1},\n{"b": 2', 1, 2, "ends inside this entry"),
        ('[{"a": 1},\n{"b": "2}]', 1, 2, "ends inside this entry"),
        ("[\n1, 2]", 0, 1, "between entries"),
        ('[{"a": 1}\n{"b": 2}]', 2, 1, "between entries"),
        ('[{"a": 1},]', 1, 1, "between entries"),
    ],
)
def test_what_is_no_list_of_objects_is_a_fault_with_its_line(cut, chunk, text, entries, line, words):
    found = cut(text, chunk)
    assert len([one for one in found if isinstance(one, Cut)]) == entries
    (fault,) = [one for one in found if isinstance(one, Fault)]
    assert words in fault.text
    assert line is None or fault.where.endswith(f"list.json:{line}")


def test_an_entry_that_never_ends_does_not_fill_the_memory(cut, monkeypatch):
    monkeypatch.setattr(module, "_LONGEST", 1000)
    (fault,) = cut('[{"a": "' + "x" * 5000, 100)
    assert "not closed" in fault.text


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="check the label file's name"):
        next(json_entries(tmp_path / "none.json"))
