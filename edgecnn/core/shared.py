"""Where recipes, weights and device files lie: beside the package in a checkout, inside it in an installed wheel."""

from pathlib import Path
from typing import Literal

from edgecnn.core.errors import InputError
from edgecnn.core.registry import nearest

Kind = Literal["recipes", "devices"]
WEIGHTS = ".safetensors"
PACKAGE = Path(__file__).resolve().parents[1]


def folder(kind: Kind) -> Path:
    """Return the folder that holds the YAML files of `kind`.

    Raises:
        InputError: neither an installed copy nor a checkout is there.
    """
    for candidate in (PACKAGE / "_shared" / kind, PACKAGE.parent / kind):
        if candidate.is_dir():
            return candidate
    raise InputError(f"no {kind}/ found beside {PACKAGE}: install edgecnn from its wheel or from a whole checkout")


def names(kind: Kind) -> list[str]:
    """Return the names (file names without `.yaml`) of everything of `kind`, sorted."""
    return sorted(path.stem for path in folder(kind).glob("*.yaml"))


def find(kind: Kind, name: str) -> Path:
    """Return the file that `name` stands for: a path to a YAML file, or the name of one that ships with edgecnn.

    Raises:
        InputError: one line with the nearest name that exists.
    """
    if (path := _as_path(name, ".yaml", ".yml")) is not None:
        return path
    known = names(kind)
    if name not in known:
        raise InputError(f"unknown {kind[:-1]} '{name}'{nearest(name, known)}")
    return folder(kind) / f"{name}.yaml"


def weights_path(given: str) -> Path:
    """Return the file of trained weights that `given` stands for: a path, or the name of one that ships with edgecnn.

    Raises:
        InputError: there is none; one line with the nearest name that exists.
    """
    if (path := _as_path(given, WEIGHTS)) is not None:
        return path
    there = {file.stem: file for file in (folder("recipes") / "weights").glob(f"*{WEIGHTS}")}
    if given not in there:
        raise InputError(f"unknown weights '{given}'{nearest(given, there)}; or give a path to a {WEIGHTS} file")
    return there[given]


def _as_path(given: str, *suffixes: str) -> Path | None:
    """Return the file that `given` is the path of, None if it is a bare name."""
    if not given.endswith(suffixes) and "/" not in given:
        return None
    if not Path(given).is_file():
        raise InputError(f"{given}: no such file")
    return Path(given)


def recipe_path(recipe: Path) -> Path:
    """Return the recipe file that `recipe` (a file, or the name of one that ships with edgecnn) stands for."""
    return find("recipes", str(recipe))
