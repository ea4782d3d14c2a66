"""Bundle: a folder, or one `.edge` zip of it, that holds a proven network and all that is needed to run it.

    manifest.json       schema, task, frame and decode specs, artefacts with digests, tables, provenance
    manifest.sha256     the digest of manifest.json, written last
    golden.npz          inputs and the outputs they must give
    artefacts/...       the engines' files

Opened only after every digest matches; a file more or less, a link, or a name that leaves the folder is refused.
What was checked is what is used: `read` hands out bytes whose digest was compared in the same call.
"""

import os
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec

from edgecnn.core import atomic
from edgecnn.core.errors import BundleError
from edgecnn.core.measure import Measurement
from edgecnn.core.tensor import FrameSpec, TensorSpec

SCHEMA = 1
MANIFEST, SEAL, GOLDEN = "manifest.json", "manifest.sha256", "golden.npz"
MAX_FILE_BYTES = 4 << 30

# A zip made by other tools may say nothing of a file's kind (0); links, devices and pipes are never taken.
_PLAIN_MODES = frozenset({0, stat.S_IFREG, stat.S_IFDIR})

Precision = Literal["fp32", "fp16", "int8", "mixed"]


class FileRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file's SHA-256 (hex) and its size."""

    sha256: str
    size_bytes: int


class Parity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far an artefact's outputs lie from the golden ones: ||out - golden|| / ||golden|| a tensor, and its bound."""

    rel_error: dict[str, float]
    tolerance: float
    n: int

    @property
    def passed(self) -> bool:
        """Whether every output lies within the tolerance."""
        return all(error <= self.tolerance for error in self.rel_error.values())


class Artefact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The network as one engine runs it.

    `files` are names inside the bundle, the engine's main file first. `accuracy` maps a metric's figures, `latency`
    a scenario's percentiles to measurements; both are empty until measured. `notes` say what a reader must know.
    """

    name: str
    engine: str
    precision: Precision
    files: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    options: dict[str, Any] = {}
    parity: Parity | None = None
    accuracy: dict[str, Measurement] = {}
    latency: dict[str, Measurement] = {}
    passed: bool | None = None
    notes: tuple[str, ...] = ()


class DecodeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which codec turns the outputs into a result, and the parameters it needs."""

    codec: str
    params: dict[str, Any]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that is known of a bundle. `provenance` holds versions, recipe, seeds, data digests and the machine.

    `frame` is None where the network takes something else than camera frames.
    """

    schema: int = SCHEMA
    name: str
    task: str
    frame: FrameSpec | None
    decode: DecodeSpec
    artefacts: tuple[Artefact, ...]
    files: dict[str, FileRecord]
    provenance: dict[str, Any] = {}


class Bundle:
    """An opened bundle, every file's digest checked. Immutable."""

    def __init__(self, path: Path, manifest: Manifest, read: Callable[[str], bytes]) -> None:
        self.path = path
        self.manifest = manifest
        self._read = read

    def read(self, name: str) -> bytes:
        """Return a file's bytes, or raise `BundleError` if they are not those the manifest lists."""
        if name not in self.manifest.files:
            raise BundleError(f"{self.path}: the manifest lists no file '{name}'")
        return _checked(self.path, name, self._read(name), self.manifest.files[name])

    def files_of(self, artefact: Artefact) -> dict[str, bytes]:
        """Return an artefact's files by base name, the main one first."""
        return {PurePosixPath(name).name: self.read(name) for name in artefact.files}

    def artefact(self, name: str) -> Artefact:
        """Return the artefact called `name`, or raise `BundleError` that lists those there are."""
        for artefact in self.manifest.artefacts:
            if artefact.name == name:
                return artefact
        known = ", ".join(artefact.name for artefact in self.manifest.artefacts)
        raise BundleError(f"{self.path}: no artefact '{name}' (known: {known})")


def open_bundle(path: Path) -> Bundle:
    """Open a bundle folder or `.edge` file after checking every digest.

    Raises:
        BundleError: missing, damaged, tampered with, of an unknown schema, or with names that leave the folder.
    """
    if ".." in path.parts:
        raise BundleError(f"{path}: a bundle path must not contain '..'; give the folder's plain or absolute path")
    names, read = _reader(path)
    for name in (MANIFEST, SEAL):
        if name not in names:
            raise BundleError(f"{path}: no {name}; this is no bundle, or its writing was cut off")
    data = read(MANIFEST)
    if read(SEAL) != _seal(data):
        raise BundleError(f"{path}: {MANIFEST} was changed after it was sealed; get the bundle again from its source")
    manifest = _manifest(path, data)
    _check_names(path, manifest, names)
    bundle = Bundle(path, manifest, read)
    for name in manifest.files:
        bundle.read(name)
    return bundle


def write_bundle(target: Path, manifest: Manifest, files: Mapping[str, Path | bytes]) -> Path:
    """Write a bundle folder atomically; `manifest.files` is filled in from `files` (name in bundle to content)."""
    for name in files:
        _check_safe(target, name)
    with atomic.new_folder(target) as folder:
        records = {}
        for name, content in sorted(files.items()):
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, bytes) else content.read_bytes()
            place.write_bytes(data)
            records[name] = FileRecord(atomic.sha256_bytes(data), len(data))
        data = msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(manifest, files=records)), indent=2)
        (folder / MANIFEST).write_bytes(data)
        (folder / SEAL).write_bytes(_seal(data))
    return target


def pack(folder: Path, target: Path) -> Path:
    """Write the bundle in `folder` as one `.edge` file: stored, sorted, fixed times, so equal bundles give equal files.

    What was written is opened as a bundle before it gets its name.
    """
    bundle = open_bundle(folder)
    _, read = _reader(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for name in sorted([*bundle.manifest.files, MANIFEST, SEAL]):
                    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), read(name))
            file.flush()
            os.fsync(file.fileno())
        if open_bundle(temporary).manifest != bundle.manifest:
            raise BundleError(f"{folder}: changed while it was packed; pack it again when nothing writes to it")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    atomic.sync_folder(target.parent)
    return target


def unpack(source: Path, target: Path) -> Path:
    """Write an `.edge` file out as a bundle folder; only files the manifest lists are written."""
    bundle = open_bundle(source)
    return write_bundle(target, bundle.manifest, {name: bundle.read(name) for name in bundle.manifest.files})


def _reader(path: Path) -> tuple[set[str], Callable[[str], bytes]]:
    """Return the names of the files in a bundle of either form, and what reads one; nothing is checked but names."""
    if path.is_dir():
        return _folder_names(path), partial(_folder_read, path)
    if path.is_file() and zipfile.is_zipfile(path):
        return _zip_names(path), partial(_zip_read, path)
    raise BundleError(f"{path}: no bundle here (neither a folder with {MANIFEST} nor an .edge file)")


def _manifest(path: Path, data: bytes) -> Manifest:
    try:
        found = msgspec.json.decode(data, type=dict).get("schema")
        if found != SCHEMA:
            raise BundleError(f"{path}: bundle schema {found!r}; this edgecnn reads {SCHEMA}")
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{path}: {MANIFEST} is not a manifest: {error}") from error


def _seal(manifest: bytes) -> bytes:
    return f"{atomic.sha256_bytes(manifest)}\n".encode()


def _checked(path: Path, name: str, data: bytes, record: FileRecord) -> bytes:
    if len(data) != record.size_bytes or atomic.sha256_bytes(data) != record.sha256:
        raise BundleError(f"{path}: {name} is not the file that was sealed; get the bundle again from its source")
    return data


def _check_safe(path: Path, name: str) -> None:
    pure = PurePosixPath(name)
    if (
        pure.is_absolute()
        or ".." in pure.parts
        or not pure.parts
        or "\\" in name
        or "\0" in name
        or pure.as_posix() != name
    ):
        raise BundleError(f"{path}: unsafe file name {name!r}")


def _check_names(path: Path, manifest: Manifest, names: set[str]) -> None:
    listed = set(manifest.files)
    used = {name for artefact in manifest.artefacts for name in artefact.files}
    for name in listed | used:
        _check_safe(path, name)
    if unlisted := sorted(used - listed):
        raise BundleError(f"{path}: an artefact names {unlisted[0]}, which {MANIFEST} does not list")
    if missing := sorted(listed - names):
        raise BundleError(f"{path}: {missing[0]} is missing; get the bundle again from its source")
    if extra := sorted(names - listed - {MANIFEST, SEAL}):
        raise BundleError(f"{path}: {extra[0]} does not belong to the bundle; remove it or get the bundle again")


def _folder_names(path: Path) -> set[str]:
    names = set()
    for entry in path.rglob("*"):
        mode = entry.lstat().st_mode
        if stat.S_ISREG(mode):
            names.add(entry.relative_to(path).as_posix())
        elif not stat.S_ISDIR(mode):
            raise BundleError(
                f"{path}: {entry.relative_to(path)} is a link or a special file; a bundle holds plain files only"
            )
    return names


def _folder_read(path: Path, name: str) -> bytes:
    try:
        return (path / name).read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: {name} can't be read: {error.strerror}") from error


def _zip_names(path: Path) -> set[str]:
    with _opened(path) as archive:
        entries = archive.infolist()
    largest = min(path.stat().st_size, MAX_FILE_BYTES)
    for entry in entries:
        _check_safe(path, entry.filename.removesuffix("/"))
        if stat.S_IFMT(entry.external_attr >> 16) not in _PLAIN_MODES:
            raise BundleError(f"{path}: {entry.filename} is a link or a special file; a bundle holds plain files only")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > largest:
            raise BundleError(f"{path}: {entry.filename} is compressed or claims more bytes than the .edge file has")
    names = [entry.filename for entry in entries if not entry.is_dir()]
    if len(set(names)) != len(names):
        raise BundleError(f"{path}: one name stands twice in the .edge file")
    return set(names)


def _zip_read(path: Path, name: str) -> bytes:
    with _opened(path) as archive:
        return archive.read(name)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except BundleError:
        raise
    except Exception as error:
        # zipfile lets whatever its parser stumbles over through: struct.error, EOFError, RuntimeError, ...
        raise BundleError(f"{path}: damaged .edge file: {str(error) or type(error).__name__}") from error
