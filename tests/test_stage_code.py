"""A stage's `code` names all of the workshop's code that its result depends on, else what was mended is not used."""

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from edgecnn.core.registry import import_entry
from edgecnn.pipeline import STAGES

WORKSHOP = ("train", "compress", "compress_model", "export", "models", "compile", "verify", "bench", "metrics")


@cache
def is_module(name):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@cache
def imports(name):
    """Return the modules of edgecnn that the module `name` imports, at its top or inside of a function."""
    tree = ast.parse(Path(find_spec(name).origin).read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("edgecnn"):
            inner = {f"{node.module}.{one.name}" for one in node.names}
            found |= {one for one in inner if is_module(one)} or {node.module}
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names if one.name.startswith("edgecnn")}
    return found - {"edgecnn"}


def reached(name):
    seen, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += imports(one)
    return seen


def test_the_walk_finds_what_stands_far_behind_a_stage():
    assert {"edgecnn.compress.prune.groups", "edgecnn.train.loop"} <= reached("edgecnn.compress_model.stage")


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_names_all_the_code_it_runs(name):
    stage = import_entry(STAGES[name], name)()
    used = {one for one in reached(STAGES[name].path.partition(":")[0]) if one.split(".")[1] in WORKSHOP}
    missing = {one for one in used if not any(one == part or one.startswith(f"{part}.") for part in stage.code)}
    assert not missing
