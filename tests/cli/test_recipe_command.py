import json

from edgecnn.cli import main
from edgecnn.core import shared


def run(capsys, *words):
    code = main.run(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_schema_is_json_schema(capsys):
    code, out, _ = run(capsys, "recipe", "schema")
    assert code == 0
    assert "Recipe" in json.loads(out)["$defs"]


def test_check_by_name_and_by_path(capsys):
    for word in ("lane-quickstart", str(shared.find("recipes", "lane-quickstart"))):
        code, out, _ = run(capsys, "recipe", "check", word)
        assert code == 0
        assert "as it should be" in out


def test_check_as_json_fills_in_defaults_and_overrides(capsys):
    _, out, _ = run(capsys, "recipe", "check", "lane-quickstart", "--set", "train.epochs=3", "--json")
    recipe = json.loads(out)
    assert recipe["train"]["epochs"] == 3
    assert recipe["train"]["batch_size"] > 0


def test_a_wrong_recipe_is_one_line_and_code_2(capsys, tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(shared.find("recipes", "lane-quickstart").read_text() + "tasks: lanes\n")
    code, out, err = run(capsys, "recipe", "check", str(path))
    assert (code, out) == (2, "")
    assert "r.yaml:" in err
    assert "tasks: unknown key 'tasks' (did you mean 'task'?" in err
    assert err.count("\n") == 1


def test_a_wrong_override_is_one_line_and_code_2(capsys):
    for text, match in (("epochs", "--set"), ("train.epoch=1", "--set train.epoch"), ("task=lane", "unknown task")):
        code, _, err = run(capsys, "recipe", "check", "lane-quickstart", "--set", text)
        assert code == 2
        assert match in err


def test_an_unknown_recipe_gets_the_nearest_name(capsys):
    code, _, err = run(capsys, "recipe", "check", "lane-quikstart")
    assert code == 2
    assert "did you mean 'lane-quickstart'" in err
