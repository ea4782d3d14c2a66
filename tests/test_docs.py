"""Documents are tests: what they tell a reader to type is typed here.

A fenced block right below the line `<!-- run -->` is run, in a copy of the checkout that all blocks of one document
share, from top to bottom. In a `console` block the lines that begin with `$ ` are the commands and the rest is output
for the reader; with no such line, all of it is commands. A `bash` block is run as it stands, a `python` block by this
Python. `<!-- run: slow -->` marks a document whose blocks take minutes: it runs with `-m slow`.
"""

import doctest
import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})
BLOCK = re.compile(r"^<!-- run(?P<slow>: slow)? -->\n+```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALL = "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e '.[test]'"
TEST_COMMAND = f"{INSTALL} && .venv/bin/pytest -n 2 --dist loadfile"


def blocks(path):
    """Return (kind, text, line, slow) of every block of a document that is to be run."""
    text = path.read_text()
    return [(m["kind"], m["text"], text[: m.start()].count("\n") + 1, bool(m["slow"])) for m in BLOCK.finditer(text)]


def runnable():
    documents = [(path, blocks(path)) for path in DOCUMENTS]
    return [
        pytest.param(path, marks=[pytest.mark.slow] if any(slow for *_, slow in found) else [], id=path.name)
        for path, found in documents
        if found
    ]


def arguments(kind, text):
    """Return the command line that runs one block."""
    if kind == "python":
        return [sys.executable, "-c", text]
    if kind == "console":
        text = "\n".join(line[2:] for line in text.splitlines() if line.startswith("$ ")) or text
    assert kind in ("console", "bash", "sh"), f"no way to run a {kind} block"
    return ["bash", "-euo", "pipefail", "-c", text]


@pytest.fixture
def checkout(tmp_path):
    """Return a copy of the checkout, and an environment in which `edgecnn` and `python` mean that copy."""
    copy = tmp_path / "edgecnn"
    left_out = shutil.ignore_patterns(".git", ".venv", "runs", "dist", "build", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, copy, ignore=left_out)
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, call in (("edgecnn", '-c "from edgecnn.cli.main import main; main()"'), ("python", ""), ("python3", "")):
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {call} "$@"\n')
        script.chmod(0o755)
    path = os.pathsep.join([str(commands), os.environ["PATH"]])
    return copy, dict(os.environ, PATH=path, PYTHONPATH=str(copy), MPLBACKEND="Agg")


@pytest.mark.parametrize("path", runnable())
def test_what_a_document_says_to_run_runs(path, checkout):
    copy, environment = checkout
    for kind, text, line, _ in blocks(path):
        done = subprocess.run(
            arguments(kind, text), check=False, capture_output=True, text=True, cwd=copy, env=environment
        )
        assert done.returncode == 0, f"{path.name}:{line}:\n{text}\n{done.stdout}\n{done.stderr}"


def test_the_readme_has_something_to_run():
    assert blocks(ROOT / "README.md")


def test_ci_runs_the_readme_s_own_test_command():
    readme = (ROOT / "README.md").read_text().splitlines()
    assert [line for line in readme if ".venv/bin/pytest" in line] == [TEST_COMMAND]
    assert "grep -m 1 -E '^python3 -m venv .*/pytest( .*)?$' README.md" in (ROOT / ".ci/run").read_text()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_tree_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize(
    "path",
    [path for path in sorted((ROOT / "edgecnn").rglob("*.py")) if ">>> " in path.read_text()],
    ids=lambda path: path.stem,
)
def test_examples_in_docstrings_hold(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted
    assert not result.failed


def test_the_convention_itself(tmp_path):
    document = tmp_path / "d.md"
    document.write_text(
        "text\n\n<!-- run -->\n```console\n$ echo one\none\n$ false\n```\n\n```console\n$ not this\n```\n"
        "<!-- run: slow -->\n\n```python\nprint('two')\n```\n"
    )
    (console, python) = blocks(document)
    assert console[:3] == ("console", "$ echo one\none\n$ false\n", 3)
    assert python[0] == "python"
    assert python[3]
    assert subprocess.run(arguments(*console[:2]), check=False, capture_output=True).returncode == 1
    assert subprocess.run(arguments(*python[:2]), check=True, capture_output=True).stdout == b"two\n"
