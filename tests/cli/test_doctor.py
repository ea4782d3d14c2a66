import json
import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from edgecnn.bench import units
from edgecnn.cli import doctor, main
from edgecnn.core import registry
from edgecnn.core.errors import EngineError, MissingExtraError
from edgecnn.runtime import selftest


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
    # What only a board of its own kind can use is in no extra that is for all.
    everywhere = [packages for extra, packages in doctor.EXTRAS.items() if extra != "tensorrt"]
    assert set().union(*everywhere) == set(names(extras["all"]))
    assert set(names(project["dependencies"])) == set(doctor.BASE)


def test_doctor_runs_a_network_in_every_engine_here(capsys):
    assert main.run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for engine in ("onnxruntime", "openvino"):
        assert found["engines"][engine]["runs"], found["engines"][engine]
        assert found["engines"][engine]["version"]
    assert found["base"]["numpy"]
    assert "null" not in found["engines"]


@pytest.fixture
def quick(monkeypatch):
    """Let engines answer at once: what each says is their own tests' affair."""
    found = {
        "onnxruntime": "1.31.1",
        "openvino": MissingExtraError("engine 'openvino' needs 'openvino': pip install 'edgecnn[openvino]'"),
    }

    def tried(name, longest_s, options):
        said = EngineError(f"{name}: no device {options['device']}") if options else found.get(name, "1.0")
        if isinstance(said, Exception):
            raise said
        return said

    monkeypatch.setattr(selftest, "try_engine_apart", tried)


def test_doctor_names_what_is_missing_and_how_to_get_it(capsys, monkeypatch, quick):
    real = doctor.version

    def version(package):
        if package in ("openvino", "torch"):
            raise PackageNotFoundError(package)
        return real(package)

    monkeypatch.setattr(doctor, "version", version)
    broken = units.Unit("nvidia gpu", "0000:01:00.0", "its driver is not loaded", "sudo ubuntu-drivers install")
    monkeypatch.setattr(units, "units", lambda: [broken])
    assert main.run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "engine    onnxruntime: 1.31.1, runs" in lines
    assert "engine    openvino: engine 'openvino' needs 'openvino': pip install 'edgecnn[openvino]'" in lines
    assert "engine    openvino on GPU: no device GPU" in lines
    assert "unit      nvidia gpu (0000:01:00.0): its driver is not loaded: sudo ubuntu-drivers install" in lines
    assert "extra     openvino: missing openvino: pip install 'edgecnn[openvino]'" in lines
    assert any(line.startswith("extra     train: missing torch") for line in lines)


def test_doctor_tries_every_engine_of_the_registry(capsys, quick):
    assert main.run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(registry.known("engine")) - {"null"} <= set(found["engines"])
    for name, engine in found["engines"].items():
        assert engine["version"] if engine["runs"] else engine["why"], name


def test_int8_is_said_to_be_unknown_where_the_system_does_not_tell():
    assert doctor._int8_text(None) == "unknown"
    assert "gain little" in doctor._int8_text([])
    assert doctor._int8_text(["avx512_vnni"]) == "avx512_vnni"
