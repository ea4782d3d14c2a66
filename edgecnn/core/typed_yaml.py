"""YAML into msgspec structs, safely, with errors that name file, line, key and the nearest valid name."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
import yaml

from edgecnn.core.errors import RecipeError
from edgecnn.core.registry import nearest

MAX_BYTES = 1 << 17
MAX_NODES = 20_000

T = TypeVar("T")
Path_ = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """The safe loader, with `1e-3` read as the number that YAML 1.2 says it is (PyYAML takes it for text)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


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
        where = f"--set {key}" if _is_overridden(key, overrides or {}) else f"{path}:{_line(node, steps)}"
        raise RecipeError(f"{where}: {key + ': ' if key and '--set' not in where else ''}{message}") from error


def line_of(path: Path, steps: Path_) -> int:
    """Return the line of the key at `steps` in the file, 1-based."""
    return _line(_parse(path)[1], steps)


def _parse(path: Path) -> tuple[dict[str, Any], yaml.Node]:
    if not path.is_file():
        raise RecipeError(f"{path}: no such file")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RecipeError(f"{path}: larger than {MAX_BYTES} bytes; that is no recipe")
    try:
        loader = _Loader(data.decode())
        node = loader.get_single_node()
        if node is not None:
            _check_size(path, node)
        tree = loader.construct_document(node) if node is not None else None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 text") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise RecipeError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if node is None or not isinstance(tree, dict):
        raise RecipeError(f"{path}: must be a mapping of keys to values")
    return tree, node


def _check_size(path: Path, root: yaml.Node) -> None:
    """Refuse what aliases blow up or tie in a knot, and keys that are given twice (YAML would keep the last)."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in open_nodes:
            raise RecipeError(f"{path}:{node.start_mark.line + 1}: an alias that holds itself")
        if id(node) not in sizes:
            open_nodes.add(id(node))
            sizes[id(node)] = 1 + sum(size(below) for below in _below(path, node))
            open_nodes.remove(id(node))
        return sizes[id(node)]

    if size(root) > MAX_NODES:
        raise RecipeError(f"{path}: more than {MAX_NODES} values once its aliases are written out")


def _below(path: Path, node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if not isinstance(node, yaml.MappingNode):
        return []
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise RecipeError(f"{path}:{key.start_mark.line + 1}: the key '{key.value}' is given twice")
            seen.add(key.value)
    return [part for pair in node.value for part in pair]


def _override(tree: dict[str, Any], key: str, text: str) -> None:
    *parents, last = key.split(".")
    place: Any = tree
    for name in parents:
        place = place[_index(place, name, key)] if isinstance(place, list) else place.setdefault(name, {})
        if not isinstance(place, (dict, list)):
            raise RecipeError(f"--set {key}: '{name}' is a value, not a section")
    try:
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with one more number form
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {key}: '{text}' is not valid YAML") from error
    place[_index(place, last, key) if isinstance(place, list) else last] = value


def _index(place: list[Any], name: str, key: str) -> int:
    if not name.isdigit() or int(name) >= len(place):
        raise RecipeError(f"--set {key}: '{name}' is no entry of a list of {len(place)}; the first is 0")
    return int(name)


def _is_overridden(key: str, overrides: Mapping[str, str]) -> bool:
    return any(key == given or key.startswith(f"{given}.") for given in overrides)


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
