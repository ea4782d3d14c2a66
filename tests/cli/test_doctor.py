import json
import re
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from edgecnn.cli import doctor, main


def test_the_table_of_extras_is_that_of_pyproject():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no TOML parser of its own")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]

    extras = project["optional-dependencies"]

    def names(requirements):
        """Return the packages, those of extras of our own that are named among them too."""
        found = []
        for requirement in requirements:
            own = re.fullmatch(r"edgecnn\[(.*)\]", requirement)
            found += [name for extra in own[1].split(",") for name in names(extras[extra])] if own else ()
            found += () if own else (requirement.split(">")[0],)
        return tuple(dict.fromkeys(found))

    assert {k: names(v) for k, v in extras.items() if k not in ("all", "test", "dev", "peers")} == doctor.EXTRAS
    assert set().union(*doctor.EXTRAS.values()) == set(names(extras["all"]))
    assert set(names(project["dependencies"])) == set(doctor.BASE)


def test_doctor_runs_a_network_in_every_engine_here(capsys):
    assert main.run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for engine in ("onnxruntime", "openvino"):
        assert found["engines"][engine]["runs"], found["engines"][engine]
        assert found["engines"][engine]["version"]
    assert found["base"]["numpy"]
    assert "null" not in found["engines"]


def test_doctor_names_what_is_missing_and_how_to_get_it(capsys, monkeypatch):
    real = doctor.version

    def version(package):
        if package in ("openvino", "torch"):
            raise PackageNotFoundError(package)
        return real(package)

    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "edgecnn.runtime.engines.openvino", raising=False)
    assert main.run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "engine    openvino: " in out
    assert "missing torch: pip install 'edgecnn[train]'" in out
    assert "missing openvino: pip install 'edgecnn[openvino]'" in out


def test_int8_is_said_to_be_unknown_where_the_system_does_not_tell():
    assert doctor._int8_text(None) == "unknown"
    assert "gain little" in doctor._int8_text([])
    assert doctor._int8_text(["avx512_vnni"]) == "avx512_vnni"
