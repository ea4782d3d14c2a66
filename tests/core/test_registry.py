import sys
from importlib.metadata import EntryPoint

import pytest

from edgecnn.core import registry
from edgecnn.core.errors import InputError, MissingExtraError


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"unknown engine 'openvno' \(did you mean 'openvino'\? known: .*onnxruntime"):
        registry.resolve("engine", "openvno")


def test_a_name_like_none_gets_the_list_without_a_guess():
    assert registry.nearest("zzzzzz", ["alpha", "beta"]) == " (known: alpha, beta)"


def test_of_many_names_only_the_closest_are_told():
    text = registry.nearest("board-7x", [f"board-{i}" for i in range(100)])
    assert text.startswith(" (did you mean 'board-7")
    assert "closest of 100" in text
    assert text.count("board-") == registry.MOST_NAMES + 1


def test_a_missing_package_names_the_command_that_installs_it(monkeypatch):
    # None in sys.modules is how the import system itself marks a module that must not be found.
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "edgecnn.runtime.engines.onnxruntime", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'edgecnn\[onnxruntime\]'"):
        registry.resolve("engine", "onnxruntime")


def test_a_missing_package_of_a_plugin_is_named_itself():
    entry = registry.Entry("no_such_package_anywhere.engine:open_engine")
    with pytest.raises(MissingExtraError, match="pip install no_such_package_anywhere"):
        registry.import_entry(entry, "engine 'theirs'")


def test_a_broken_import_within_edgecnn_is_not_dressed_up_as_a_missing_extra():
    with pytest.raises(ModuleNotFoundError):
        registry.import_entry(registry.Entry("edgecnn.no_such_module:x", "train"), "model 'x'")


def test_a_wrong_attribute_is_named():
    with pytest.raises(InputError, match="no 'nothing_of_this_name'"):
        registry.import_entry(registry.Entry("json:nothing_of_this_name"), "metric 'theirs'")


def _with_plugins(monkeypatch, *points):
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [p for p in points if p.group == group])


def test_another_package_adds_an_engine_by_entry_point(monkeypatch):
    _with_plugins(monkeypatch, EntryPoint("theirs", "collections:OrderedDict", "edgecnn.engines"))
    assert registry.resolve("engine", "theirs").__name__ == "OrderedDict"
    assert "theirs" in registry.known("engine")
    assert "theirs" not in registry.known("metric")


def test_another_package_adds_a_target_by_entry_point(monkeypatch):
    ours = list(registry.TARGETS)
    point = EntryPoint("theirs", "edgecnn.core.registry:TARGETS", "edgecnn.targets")
    _with_plugins(monkeypatch, point, EntryPoint("openvino", "no.such:ROW", "edgecnn.targets"))
    assert list(registry.TARGETS) == [*ours, "theirs"]
    assert len(registry.TARGETS) == len(ours) + 1
    assert "theirs" in registry.TARGETS
    assert registry.TARGETS["openvino"].engine == "openvino"
    with pytest.raises(InputError, match=r"'theirs'.*no edgecnn\.core\.registry\.Target"):
        registry.TARGETS["theirs"]
    monkeypatch.setattr(registry, "THEIRS", registry.TARGETS["openvino"], raising=False)
    _with_plugins(monkeypatch, EntryPoint("theirs", "edgecnn.core.registry:THEIRS", "edgecnn.targets"))
    assert registry.TARGETS["theirs"] is registry.TARGETS["openvino"]


def test_a_plugin_can_not_take_the_place_of_a_part_of_edgecnn(monkeypatch):
    _with_plugins(monkeypatch, EntryPoint("null", "collections:OrderedDict", "edgecnn.engines"))
    assert registry.resolve("engine", "null").__module__ == "edgecnn.runtime.engines.null"


# No package index has it for pip: it comes with a board's own system.
SYSTEM_PACKAGES = {("engine", "tensorrt")}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, rows in registry.GROUPS.items() for name in rows])
def test_every_row_can_be_imported(kind, name):
    try:
        assert registry.resolve(kind, name) is not None
    except MissingExtraError:
        assert (kind, name) in SYSTEM_PACKAGES


def test_every_task_and_target_names_parts_that_exist():
    for task in registry.TASKS.values():
        for kind in ("codec", "model", "loss", "metric", "drawing"):
            assert getattr(task, kind) in {"", *registry.GROUPS[kind]}
        assert task.codec
    for target in registry.TARGETS.values():
        assert target.engine in registry.ENGINES
        assert target.scheme in {"", *registry.SCHEMES}
        assert callable(registry.import_entry(target.compiler, "compiler"))
