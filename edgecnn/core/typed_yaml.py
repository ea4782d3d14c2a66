"""YAML into msgspec structs, safely, with errors that name file, line, key and the nearest valid name."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
import yaml

from edgecnn.core.errors import RecipeError
from edgecnn.core.registry import nearest

MAX_BYTES = 1 << 20
MAX_ALIASES = 50

T = TypeVar("T")
Path_ = tuple[str | int, ...]


def load(path: Path, kind: type[T], overrides: Mapping[str, str] | None = None) -> T:
    """Return the YAML file at `path` as a `kind`, with `overrides` (dotted key to YAML text) laid over it.

    Raises:
        RecipeError: one line, for anything that is not as `kind` says.
    """
    tree, node = _parse(path)
    for key, text in (overrides or {}).items():
        _override(tree, key, text)
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at ")
        steps = _steps(where)
        unknown = re.search(r"unknown field `(.+?)`", message)
        if unknown:
            steps = (*steps, unknown[1])
            message = f"unknown key '{unknown[1]}'{nearest(unknown[1], _fields(kind, steps[:-1]))}"
        key = ".".join(map(str, steps))
        raise RecipeError(f"{path}:{_line(node, steps)}: {key + ': ' if key else ''}{message}") from error


def line_of(path: Path, steps: Path_) -> int:
    """Return the line of the key at `steps` in the file, 1-based."""
    return _line(_parse(path)[1], steps)


def _parse(path: Path) -> tuple[dict[str, Any], yaml.Node]:
    if not path.is_file():
        raise RecipeError(f"{path}: no such file")
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise RecipeError(f"{path}: larger than {MAX_BYTES} bytes; that is no recipe")
    try:
        text = data.decode()
        if sum(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)) > MAX_ALIASES:
            raise RecipeError(f"{path}: more than {MAX_ALIASES} YAML aliases")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        tree = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 text") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise RecipeError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if node is None or not isinstance(tree, dict):
        raise RecipeError(f"{path}: must be a mapping of keys to values")
    return tree, node


def _override(tree: dict[str, Any], key: str, text: str) -> None:
    *parents, last = key.split(".")
    place = tree
    for name in parents:
        below = place.setdefault(name, {})
        if not isinstance(below, dict):
            raise RecipeError(f"--set {key}: '{name}' is a value, not a section")
        place = below
    try:
        place[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {key}: '{text}' is not valid YAML") from error


def _steps(where: str) -> Path_:
    return tuple(int(i) if i else n for n, i in re.findall(r"\.?([^.\[\]`$]+)|\[(\d+)\]", where.strip("`")) if n or i)


def _line(node: yaml.Node, steps: Path_) -> int:
    line = node.start_mark.line
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
    return line + 1


def _fields(kind: Any, steps: Path_) -> list[str]:
    """Return the field names of the struct found under `kind` by following `steps`."""
    for step in steps:
        structs = _structs(kind)
        fields = {f.encode_name: f.type for s in structs for f in msgspec.structs.fields(s)}
        if isinstance(step, int) or step not in fields:
            kind = get_args(kind)[:1] or kind
            kind = kind[0] if isinstance(kind, tuple) else kind
        else:
            kind = fields[step]
    return sorted({f.encode_name for s in _structs(kind) for f in msgspec.structs.fields(s)})


def _structs(kind: Any) -> list[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [struct for part in get_args(kind) for struct in _structs(part)]
