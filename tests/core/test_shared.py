import pytest

from edgecnn.core import shared
from edgecnn.core.errors import InputError


def test_a_checkout_has_both_folders():
    assert "lane-quickstart" in shared.names("recipes")
    assert "x86-host-vnni" in shared.names("devices")


def test_an_installed_copy_goes_before_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "PACKAGE", tmp_path / "edgecnn")
    with pytest.raises(InputError, match="no devices/ found"):
        shared.folder("devices")
    (tmp_path / "devices").mkdir()
    assert shared.folder("devices") == tmp_path / "devices"
    installed = tmp_path / "edgecnn" / "_shared" / "devices"
    installed.mkdir(parents=True)
    assert shared.folder("devices") == installed


def test_a_path_is_taken_as_a_path_and_a_name_as_a_name(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("")
    assert shared.find("recipes", str(path)) == path
    assert shared.find("recipes", "lane-quickstart").name == "lane-quickstart.yaml"
    assert shared.recipe_path(path) == path
    for name in (str(tmp_path / "none.yaml"), "none.yaml", "../none"):
        with pytest.raises(InputError, match="no such file"):
            shared.find("recipes", name)
    with pytest.raises(InputError, match="unknown device 'lane-quickstart'"):
        shared.find("devices", "lane-quickstart")


def test_weights_are_a_path_or_ship_with_the_recipes(tmp_path, monkeypatch):
    mine, theirs = tmp_path / "mine.safetensors", tmp_path / "recipes" / "weights" / "people.safetensors"
    theirs.parent.mkdir(parents=True)
    mine.touch()
    theirs.touch()
    monkeypatch.setattr(shared, "PACKAGE", tmp_path / "edgecnn")
    assert shared.weights_path(str(mine)) == mine
    assert shared.weights_path("people") == theirs
    with pytest.raises(InputError, match=r"unknown weights 'peple' \(did you mean 'people'\?"):
        shared.weights_path("peple")
