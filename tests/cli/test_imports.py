"""The walls between the floors, and what the device side may and may not load."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import edgecnn
from edgecnn.core import registry

ROOT = Path(edgecnn.__file__).parent
# What a robot runs. Each of these must import on the base install.
DEVICE_SIDE = ("core", "runtime", "metrics", "verify", "bench", "seal", "pipeline", "cli", "data")
WORKSHOP = {"torch", "torchvision", "onnx", "onnx_ir", "onnxscript"}
ENGINES = {"onnxruntime", "openvino", "tensorrt"}


def modules():
    """Return the dotted name of every module of edgecnn that can be imported without running something."""
    names = (module.name for module in pkgutil.walk_packages([str(ROOT)], "edgecnn."))
    return sorted(name for name in names if not name.endswith(".__main__"))


def is_device_side(name):
    part = name.split(".")[1]
    return part in DEVICE_SIDE and not name.startswith("edgecnn.runtime.engines.")


def loaded_after(names):
    """Return the top-level packages that a fresh Python holds after importing `names`."""
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "print(*{m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_import_contracts_hold():
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        pytest.fail("lint-imports is not installed: pip install -e '.[test]'")
    done = subprocess.run([lint, "--no-cache"], check=False, capture_output=True, text=True, cwd=ROOT.parent)
    assert done.returncode == 0, done.stdout


def test_the_device_side_loads_neither_torch_nor_onnx_nor_an_engine():
    names = [name for name in modules() if is_device_side(name)]
    assert len(names) > 30
    assert not loaded_after(names) & (WORKSHOP | ENGINES)


@pytest.mark.parametrize("engine", sorted(ENGINES & set(registry.ENGINES)))
def test_an_engine_brings_its_own_sdk_and_no_other(engine):
    loaded = loaded_after([f"edgecnn.runtime.engines.{engine}"])
    assert engine in loaded
    assert not loaded & (WORKSHOP | ENGINES - {engine})


def test_every_module_can_be_imported():
    loaded_after(modules())


def imports_of(path):
    """Yield the top-level package of each import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_an_sdk_is_touched_only_where_it_belongs():
    for path in ROOT.rglob("*.py"):
        place = path.relative_to(ROOT).as_posix()
        for engine in ENGINES & set(imports_of(path)):
            fits = (f"runtime/engines/{engine}", f"compile/{engine}", "compress/quantize/", "export/equivalence")
            assert place.startswith(fits), f"edgecnn/{place} imports {engine}"
