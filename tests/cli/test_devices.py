import json

import pytest

from edgecnn.cli import main
from edgecnn.core import shared


def run(capsys, *words):
    code = main.run(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_list_names_every_device_once(capsys):
    code, out, _ = run(capsys, "devices", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == shared.names("devices")


def test_list_as_json_is_one_object(capsys):
    _, out, _ = run(capsys, "devices", "list", "--json")
    rows = json.loads(out)["devices"]
    assert {row["name"] for row in rows} == set(shared.names("devices"))
    assert all(row["engines"] for row in rows)


def test_show_tells_figures_with_confidence(capsys):
    code, out, _ = run(capsys, "devices", "show", "jetson-orin-nx-16gb")
    assert code == 0
    assert "MAXN_SUPER" in out
    assert "38.4 TOPS (derived)" in out


def test_show_as_json_carries_the_sources(capsys):
    _, out, _ = run(capsys, "devices", "show", "raspberry-pi-5", "--json")
    device = json.loads(out)
    assert device["cpu"]["clock_ghz"]["source"] in device["sources"]


def test_an_unknown_device_is_one_line_and_code_2(capsys):
    code, out, err = run(capsys, "devices", "show", "rasberry-pi-5")
    assert (code, out) == (2, "")
    assert "did you mean 'raspberry-pi-5'" in err
    assert err.count("\n") == 1


def test_models_list(capsys):
    code, out, _ = run(capsys, "models", "list")
    assert code == 0
    assert "lane_rows: lanes" in out
    _, out, _ = run(capsys, "models", "list", "--json")
    assert {"name", "tasks", "code", "extra"} == set(json.loads(out)["models"][0])


@pytest.mark.parametrize("words", [("devices",), ("models",), ("recipe",)])
def test_a_group_without_a_command_explains_itself(capsys, words):
    code, out, err = run(capsys, *words)
    assert code in (0, 2)
    assert "Commands:" in out + err
