"""Store: content-addressed stage results in a work directory, safe under kills and under two runs at once.

<root>/<stage>-<key>/        the result, immutable
<root>/<stage>-<key>.json    its digest record, written last: without it the result does not exist
<root>/partial/<stage>-<key>/   what an unfinished stage keeps for its resume
<root>/locks/<stage>-<key>   held by the kernel while one run works on the stage
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from edgecnn.core import atomic


def code_digest(packages: tuple[str, ...]) -> str:
    """Return one digest of the Python sources of `packages` (dotted names of packages or modules)."""
    digests: dict[str, str] = {}
    for name in packages:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ValueError(f"no source found for '{name}'")
        origin = Path(spec.origin)
        files = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
        digests.update(
            {f"{name}/{file.relative_to(origin.parent).as_posix()}": atomic.sha256_file(file) for file in files}
        )
    return atomic.sha256_bytes(json.dumps(digests, sort_keys=True).encode())


def stage_key(code: str, inputs: Mapping[str, str], parameters: Any) -> str:
    """Return the key of a stage result: its code's digest, its inputs' keys and its parameters, 20 hex digits."""
    parts = {"code": code, "inputs": dict(sorted(inputs.items())), "parameters": msgspec.to_builtins(parameters)}
    return atomic.sha256_bytes(json.dumps(parts, sort_keys=True).encode())[:20]


class Store:
    """The stage results below one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def lock(self, stage: str, key: str) -> Iterator[None]:
        """Hold the stage: a second run that wants the same result waits here and then finds it done."""
        with atomic.locked(self.root / "locks" / f"{stage}-{key}"):
            yield

    def find(self, stage: str, key: str) -> Path | None:
        """Return the finished result, every byte re-hashed, or None. A damaged one is removed, to be made anew."""
        folder, record = self._folder(stage, key), self._record(stage, key)
        if not record.exists():
            return None
        try:
            expected = json.loads(record.read_bytes())["files"]
        except (ValueError, KeyError, TypeError):
            expected = None
        if expected is not None and folder.is_dir() and atomic.sha256_tree(folder) == expected:
            return folder
        record.unlink()
        shutil.rmtree(folder, ignore_errors=True)
        return None

    def digest(self, stage: str, key: str) -> str:
        """Return one digest of a finished result's content, for the keys of the stages that read it.

        Keys follow content, not keys of keys: where a stage is not deterministic and has been made anew, what was
        built on its older result is not taken for current.
        """
        files = json.loads(self._record(stage, key).read_bytes())["files"]
        return atomic.sha256_bytes(json.dumps(files, sort_keys=True).encode())

    def partial(self, stage: str, key: str) -> Path:
        """Return the folder in which an unfinished stage works; it outlives a kill."""
        folder = self.root / "partial" / f"{stage}-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def commit(self, stage: str, key: str, source: Path) -> Path:
        """Move `source` into the store as the result of the stage; the digest record is written last."""
        folder = self._folder(stage, key)
        shutil.rmtree(folder, ignore_errors=True)
        atomic.sync_tree(source)
        source.rename(folder)
        atomic.sync_folder(self.root)
        record = {"stage": stage, "key": key, "files": atomic.sha256_tree(folder)}
        atomic.write_text(self._record(stage, key), json.dumps(record, indent=1, sort_keys=True))
        shutil.rmtree(self.root / "partial" / f"{stage}-{key}", ignore_errors=True)
        return folder

    def _folder(self, stage: str, key: str) -> Path:
        return self.root / f"{stage}-{key}"

    def _record(self, stage: str, key: str) -> Path:
        return self.root / f"{stage}-{key}.json"
