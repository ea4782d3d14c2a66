"""The walls between the floors, and what the device side may and may not load."""

import ast
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgecnn
from edgecnn.core import registry
from edgecnn.core.errors import MissingExtraError

ROOT = Path(edgecnn.__file__).parent
# What a robot runs. Each of these must import on the base install.
DEVICE_SIDE = ("core", "runtime", "metrics", "verify", "bench", "seal", "pipeline", "cli", "data")
WORKSHOP = {"torch", "torchvision", "onnx", "onnx_ir", "onnxscript"}
# An engine's name and the package that is its SDK. Of the others, coreml's imports every converter it finds (torch is
# one) and executorch's is built on torch.
SDKS = {"onnxruntime": "onnxruntime", "openvino": "openvino", "ncnn": "ncnn", "litert": "ai_edge_litert"}
ENGINES = {*SDKS.values(), "tensorrt", "executorch", "coremltools"}
# What names TensorRT's own types needs TensorRT, which no package index has for these machines.
WITH_TENSORRT = re.compile(r"edgecnn\.(compile\.tensorrt\.\w+|runtime\.engines\.tensorrt\w*)")


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


@pytest.mark.parametrize("engine", SDKS)
def test_an_engine_brings_its_own_sdk_and_no_other(engine):
    assert engine in registry.ENGINES
    loaded = loaded_after([f"edgecnn.runtime.engines.{engine}"])
    assert SDKS[engine] in loaded
    assert not loaded & (WORKSHOP | ENGINES - {SDKS[engine]})


def test_every_module_can_be_imported():
    loaded_after([name for name in modules() if not WITH_TENSORRT.fullmatch(name)])


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed")
@pytest.mark.parametrize("name", [name for name in modules() if WITH_TENSORRT.fullmatch(name)])
def test_what_needs_tensorrt_says_so_in_one_line_or_does_without(name):
    try:
        importlib.import_module(name)
    except MissingExtraError as error:
        assert "JetPack" in str(error)  # noqa: PT017 - most of them import
        assert "\n" not in str(error)  # noqa: PT017


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
            name = {sdk: name for name, sdk in SDKS.items()}.get(engine, engine.removesuffix("tools"))
            own = tuple(f"{folder}/{name}" for folder in ("runtime/engines", "compile", "export"))
            fits = (*own, "compress/quantize/", "export/equivalence")
            assert place.startswith(fits), f"edgecnn/{place} imports {engine}"
