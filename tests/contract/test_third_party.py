"""A package of someone else's adds an engine and its target by entry points, and passes the contract like ours.

It is installed as pip installs it, package and metadata, into a folder that other processes have on their path.
"""

import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGE = HERE / "third_party"
MOST_LINES = 100


def entry_points(project):
    """Return the text of entry_points.txt, as a build backend makes it of pyproject.toml."""
    # Of TOML the file has no more than this reads, which Python 3.10 has no reader for.
    sections = ConfigParser()
    sections.read(project)
    groups = {name.partition("entry-points.")[2].strip('"'): rows for name, rows in sections.items()}
    return "\n".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in rows.items()).replace('"', "")
        for group, rows in groups.items()
        if group
    )


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Variables under which Python finds the package, its entry points included."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(PACKAGE / "edgecnn_opencv", folder / "edgecnn_opencv")
    metadata = folder / "edgecnn_opencv-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: edgecnn-opencv\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points(PACKAGE / "pyproject.toml"))
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def told(environment, *command):
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_it_takes_less_than_a_hundred_lines_of_code():
    lines = [line for file in PACKAGE.rglob("*.py") for line in file.read_text().splitlines()]
    # Docstrings of this package are one line each.
    assert sum(bool(re.match(r'\s*[^\s#"]', line)) for line in lines) < MOST_LINES


def test_engine_and_target_are_known_where_the_package_is_installed(environment):
    code = (
        "from edgecnn.core.registry import TARGETS, known; print('opencv' in known('engine'), TARGETS['opencv'].engine)"
    )
    assert told(environment, "-c", code) == (0, "True opencv\n")
    without = {key: value for key, value in environment.items() if key != "PYTHONPATH"}
    assert "KeyError" in told(without, "-c", code)[1]


def test_it_passes_the_contract(environment):
    code, output = told(environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE), "-k", "opencv")
    assert code == 0, output
    passed = re.search(r"(\d+) passed", output)
    assert passed
    assert int(passed[1]) >= 40
    assert "failed" not in output
