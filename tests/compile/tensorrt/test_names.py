"""Every name of TensorRT and CUDA that the code uses exists in the real bindings of each version it is used under.

The committed lists in api/ were read from the wheels 8.6.1, 10.3.0 and 11.4.0 of the bindings and 12.9 and 13.5 of
cuda-bindings. Where a wheel is installed, or EDGECNN_SDK_WHEELS names folders of unpacked ones, it is read again.
"""

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_tensorrt import API, VERSIONS, api_of

import edgecnn

PACKAGE = Path(edgecnn.__file__).parent
SOURCES = sorted([*PACKAGE.glob("compile/tensorrt/*.py"), *PACKAGE.glob("runtime/engines/tensorrt*.py")])
# Files that only one version's builder uses.
ONLY = {"weak.py": (8,), "strong.py": (10,), "strong_only.py": (11,)}


def dotted(node):
    """Return `a.b.c` of an attribute chain, or an empty string."""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


def chains(path, root):
    """Return the longest chains below the name `root` in a file."""
    found = {dotted(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    found = {chain for chain in found if chain.startswith(f"{root}.")}
    return {chain for chain in found if not any(other.startswith(f"{chain}.") for other in found)}


def is_known(chain, api):
    _, first, *rest = chain.split(".")
    if first in {"__version__", *api["functions"]}:
        return not rest
    if first in api["enums"]:
        return rest == ["__members__"] or (len(rest) == 1 and rest[0] in api["enums"][first])
    if first == "ILogger" and rest[:1] == ["Severity"]:
        return len(rest) == 1 or rest[1] in api["enums"]["ILogger.Severity"]
    return first in api["classes"] and (not rest or rest[0] in api["classes"][first])


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_of_tensorrt_exists_in_the_versions_it_is_used_under(version):
    used = 0
    for path in SOURCES:
        if version not in ONLY.get(path.name, VERSIONS):
            continue
        for chain in chains(path, "trt"):
            assert is_known(chain, api_of(version)), f"{path.name} uses {chain}, which {VERSIONS[version]} has not"
            used += 1
    assert used > 15


def test_what_only_one_version_has_is_told_apart():
    assert not is_known("trt.BuilderFlag.FP16", api_of(11))
    assert not is_known("trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED", api_of(8))
    assert not is_known("trt.Builder.max_batch_size", api_of(8))


@pytest.mark.parametrize("version", ["12", "13"])
def test_every_name_of_cuda_exists(version):
    api = json.loads((API / f"cuda-{version}.json").read_text())
    known = {*api["functions"], *api["constants"], *api["enums"]}
    used = {chain for path in SOURCES for chain in chains(path, "cudart")}
    assert len(used) > 20
    for chain in used:
        _, first, *rest = chain.split(".")
        assert first in known, chain
        assert not rest or rest[0] in api["enums"][first], chain


def test_no_number_of_a_version_decides():
    """Members decide which builder is used; 10.4 may have what 10.3 had not."""
    for path in SOURCES:
        compared = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Compare)]
        assert not [node for node in compared if "trt.__version__" in ast.unparse(node)], path.name


def wheels():
    """Yield folders that hold real bindings: installed ones, and those that the environment names."""
    for name in ("tensorrt_bindings", "tensorrt"):
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None and list(Path(spec.origin).parent.glob("tensorrt.so")):
            yield Path(spec.origin).parents[1]
    for folder in filter(None, os.environ.get("EDGECNN_SDK_WHEELS", "").split(os.pathsep)):
        if list(Path(folder).rglob("tensorrt.so")):
            yield Path(folder)


def test_the_committed_names_are_those_of_the_real_bindings():
    folders = list(wheels())
    if not folders or not shutil.which("cc") or not shutil.which("readelf"):
        pytest.skip("no bindings installed, and EDGECNN_SDK_WHEELS names none; or no compiler for the stubs")
    script = Path(__file__).with_name("real_api.py")
    for folder in folders:
        told = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
        real = json.loads(told.stdout)
        committed = api_of(int(real["version"].split(".")[0]))
        if committed["version"] == real["version"]:
            assert committed == real
        for kind in ("enums", "classes"):
            for name, members in committed[kind].items():
                lost = {key for key in members if key not in real[kind][name]} - {"WEIGHTLESS"}
                assert not lost, f"{real['version']} lost {name}: {lost}"


def test_our_modules_load_over_the_real_bindings_and_each_finds_its_builder():
    named = list(filter(None, os.environ.get("EDGECNN_SDK_WHEELS", "").split(os.pathsep)))
    cuda = [folder for folder in named if not list(Path(folder).rglob("tensorrt.so"))]
    folders = list(wheels())
    if not folders or not (cuda or importlib.util.find_spec("cuda")) or not shutil.which("cc"):
        pytest.skip("no bindings of TensorRT and CUDA installed, and EDGECNN_SDK_WHEELS names none")
    script = Path(__file__).with_name("real_types.py")
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    for folder in folders:
        command = [sys.executable, script, folder, *cuda]
        told = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert told.returncode == 0, told.stderr
        version, name = told.stdout.split(maxsplit=1)
        assert name.strip() == f"TensorRT {version.split('.')[0]}"
