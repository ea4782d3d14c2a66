"""Engines built on this device, under a key of model, TensorRT, GPU and build settings.

A plan is code that TensorRT runs. So the folder must be the user's own, closed to others, and a plan is handed out only
if it has the digest that was written down when it was built.
"""

import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from edgecnn.core import atomic
from edgecnn.core.errors import EngineError
from edgecnn.runtime.engines.tensorrt_settings import BuildSettings, Built

PLAN, RECORD, LOCK = "engine.plan", "engine.json", "lock"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a plan depends on; another value of any of these is another plan."""

    model_sha256: str
    tensorrt: str
    gpu: Any
    settings: BuildSettings

    def digest(self) -> str:
        """Return the key as hex."""
        return atomic.sha256_bytes(msgspec.json.encode(self, order="deterministic"))


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands beside a plan."""

    key: Any
    sha256: str
    size_bytes: int
    seconds: float
    notes: tuple[str, ...] = ()


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A plan from the cache, what stands beside it, and whether it was built just now."""

    plan: bytes
    record: Record
    fresh: bool
    place: Path

    @property
    def file(self) -> Path:
        """The plan's file."""
        return self.place / PLAN


def cache_folder(asked: str = "") -> Path:
    """Return the folder of built engines, made if need be: `asked`, else below `EDGECNN_CACHE` or the user's cache.

    Raises:
        EngineError: it can't be made, or others than its owner could write to it.
    """
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    base = os.environ.get("EDGECNN_CACHE") or str(Path(home) / "edgecnn")
    folder = (Path(asked) if asked else Path(base) / "tensorrt").expanduser()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise EngineError(f"tensorrt: no cache of engines at {folder}: {error.strerror}; set EDGECNN_CACHE") from error
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
        raise EngineError(
            f"tensorrt: others can write to {folder}, and what lies there runs as code: chmod 700 it, or set "
            "EDGECNN_CACHE"
        )
    return folder


def kept_plan(
    folder: Path, key: Key, build: Callable[[bytes], Built], *, timing_cache: bool, anew: bool = False
) -> Kept:
    """Return the plan for `key`, built if there is none or it is damaged, or if it is to be built `anew`.

    `build` is given what kernels were timed before on this GPU and TensorRT. Of several processes one builds and the
    others wait.
    """
    place = folder / key.digest()
    with _locked(folder, key.digest()):
        found = None if anew else _read(place, key)
        if found is not None:
            return found
        times = folder / f"timing-{_timing_name(key)}.cache"
        built = build(times.read_bytes() if timing_cache and times.is_file() else b"")
        if timing_cache and built.timing_cache:
            atomic.write_bytes(times, built.timing_cache)
        record = Record(
            key=_plain(key),
            sha256=atomic.sha256_bytes(built.plan),
            size_bytes=len(built.plan),
            seconds=built.seconds,
            notes=built.notes,
        )
        with atomic.new_folder(place) as partial:
            (partial / PLAN).write_bytes(built.plan)
            (partial / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
        return Kept(plan=built.plan, record=record, fresh=True, place=place)


def _locked(folder: Path, name: str) -> AbstractContextManager[None]:
    return atomic.locked(folder / f"{name}.{LOCK}")


def _read(place: Path, key: Key) -> Kept | None:
    """Return what lies at `place` if it is whole and for this key; else None, and it is built again."""
    try:
        record = msgspec.json.decode((place / RECORD).read_bytes(), type=Record)
        plan = (place / PLAN).read_bytes()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    if record.key != _plain(key) or atomic.sha256_bytes(plan) != record.sha256:
        return None
    return Kept(plan=plan, record=record, fresh=False, place=place)


def _plain(key: Key) -> Any:
    """Return the key as it comes back from JSON."""
    return msgspec.json.decode(msgspec.json.encode(key))


def _timing_name(key: Key) -> str:
    told = msgspec.json.encode({"gpu": key.gpu, "tensorrt": key.tensorrt}, order="deterministic")
    return atomic.sha256_bytes(told)[:16]
