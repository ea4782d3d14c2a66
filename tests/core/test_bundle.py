"""A bundle is what was sealed or it is refused, before anything of it is decoded or run."""

import contextlib
import io
import os
import shutil
import stat
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecnn.core import atomic
from edgecnn.core import bundle as bundle_module
from edgecnn.core.bundle import (
    GOLDEN,
    MANIFEST,
    SEAL,
    Artefact,
    DecodeSpec,
    Manifest,
    open_bundle,
    pack,
    unpack,
    write_bundle,
)
from edgecnn.core.errors import BundleError
from edgecnn.core.tensor import FrameSpec

MODEL, WEIGHTS = "artefacts/a/model.xml", "artefacts/a/model.bin"
CONTENT = {MODEL: b"<net/>" * 5, WEIGHTS: bytes(range(256)), GOLDEN: b"golden" * 7}


def write(folder, content=None):
    content = CONTENT if content is None else content
    manifest = Manifest(
        name="sealed",
        task="lanes",
        frame=FrameSpec(8, 4),
        decode=DecodeSpec("lane_rows", {"cells": 8}),
        artefacts=(Artefact("a", "openvino", "fp32", (MODEL, WEIGHTS), (), ()),),
        files={},
    )
    return write_bundle(folder, manifest, content)


@pytest.fixture
def sealed(tmp_path):
    return write(tmp_path / "sealed")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("pristine") / "sealed")
    return folder, pack(folder, folder.with_suffix(".edge")).read_bytes()


def refused(path, words=None):
    with pytest.raises(BundleError, match=words) as caught:
        open_bundle(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def reseal(folder):
    """What an attacker can do: seal a manifest of his own."""
    (folder / SEAL).write_text(atomic.sha256_file(folder / MANIFEST) + "\n")


def test_what_was_written_is_read(sealed):
    bundle = open_bundle(sealed)
    assert {name: bundle.read(name) for name in bundle.manifest.files} == CONTENT
    [artefact] = bundle.manifest.artefacts
    assert list(bundle.files_of(artefact).items()) == [("model.xml", CONTENT[MODEL]), ("model.bin", CONTENT[WEIGHTS])]
    assert bundle.artefact("a") is artefact


def test_unknown_names_are_errors_that_list_what_there_is(sealed):
    bundle = open_bundle(sealed)
    with pytest.raises(BundleError, match=r"known: a\)"):
        bundle.artefact("b")
    with pytest.raises(BundleError, match="lists no file 'artefacts/b'"):
        bundle.read("artefacts/b")


# Flips

FILES = [*CONTENT, MANIFEST, SEAL]


@given(st.sampled_from(FILES), st.integers(0, 10**6), st.integers(0, 7))
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_is_refused_before_anything_is_decoded(pristine, monkeypatch, name, place, bit):
    folder, _ = pristine
    decoded = []
    monkeypatch.setattr(bundle_module, "_manifest", lambda *_: decoded.append(1))
    path = folder / name
    data = path.read_bytes()
    damaged = bytearray(data)
    damaged[place % len(data)] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        if name in (MANIFEST, SEAL):
            refused(folder)
            assert not decoded
        else:
            monkeypatch.undo()
            assert name in refused(folder)
    finally:
        path.write_bytes(data)


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_edge_file_is_refused_or_reads_exactly_what_was_sealed(pristine, tmp_path, place, mask):
    folder, packed = pristine
    damaged = bytearray(packed)
    damaged[place % len(packed)] ^= mask
    path = tmp_path / "x.edge"
    path.write_bytes(damaged)
    # Zip headers hold bytes that mean nothing here (a date, say); what is read must still be what was sealed.
    with contextlib.suppress(BundleError):
        bundle = open_bundle(path)
        assert {name: bundle.read(name) for name in bundle.manifest.files} == CONTENT
        assert bundle.manifest == open_bundle(folder).manifest


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_edge_file_cut_off_anywhere_is_refused(pristine, tmp_path, length):
    path = tmp_path / "x.edge"
    path.write_bytes(pristine[1][: length % len(pristine[1])])
    refused(path)


# Files more, fewer, elsewhere

TAMPERINGS = {
    "added": lambda folder: (folder / "artefacts" / "extra.bin").write_bytes(b"x"),
    "added empty": lambda folder: (folder / "empty").touch(),
    "added hidden": lambda folder: (folder / ".hidden").write_bytes(b"x"),
    "removed": lambda folder: (folder / WEIGHTS).unlink(),
    "renamed": lambda folder: (folder / WEIGHTS).rename(folder / "artefacts/a/other.bin"),
    "moved": lambda folder: (folder / WEIGHTS).rename(folder / "model.bin"),
    "shortened": lambda folder: (folder / WEIGHTS).write_bytes(CONTENT[WEIGHTS][:-1]),
    "lengthened": lambda folder: (folder / WEIGHTS).write_bytes(CONTENT[WEIGHTS] + b"\0"),
    "emptied": lambda folder: (folder / WEIGHTS).write_bytes(b""),
    "no manifest": lambda folder: (folder / MANIFEST).unlink(),
    "no seal": lambda folder: (folder / SEAL).unlink(),
    "empty seal": lambda folder: (folder / SEAL).write_bytes(b""),
    "a folder for a file": lambda folder: ((folder / WEIGHTS).unlink(), (folder / WEIGHTS).mkdir()),
    "a link": lambda folder: (
        (folder / WEIGHTS).rename(folder.parent / "w"),
        (folder / WEIGHTS).symlink_to(folder.parent / "w"),
    ),
    "a linked folder": lambda folder: (
        (folder / "artefacts/a").rename(folder.parent / "a"),
        (folder / "artefacts/a").symlink_to(folder.parent / "a"),
    ),
    "a dangling link": lambda folder: (folder / "artefacts/gone").symlink_to(folder / "nowhere"),
    "a pipe": lambda folder: os.mkfifo(folder / "artefacts/pipe"),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_a_tampered_folder_is_refused(sealed, how):
    TAMPERINGS[how](sealed)
    refused(sealed)


def test_two_files_swapped_are_refused(sealed):
    (sealed / MODEL).write_bytes(CONTENT[WEIGHTS])
    (sealed / WEIGHTS).write_bytes(CONTENT[MODEL])
    refused(sealed, "is not the file that was sealed")


def test_a_file_of_another_bundle_is_refused(sealed, tmp_path):
    other = write(tmp_path / "other", CONTENT | {WEIGHTS: bytes(reversed(range(256)))})
    shutil.copy(other / WEIGHTS, sealed / WEIGHTS)
    refused(sealed, "model.bin is not the file")
    shutil.copy(other / MANIFEST, sealed / MANIFEST)
    refused(sealed, "changed after it was sealed")


def test_a_file_changed_after_opening_is_refused_when_read(sealed):
    bundle = open_bundle(sealed)
    (sealed / WEIGHTS).write_bytes(bytes(256))
    with pytest.raises(BundleError, match="is not the file that was sealed"):
        bundle.files_of(bundle.artefact("a"))


def test_a_file_gone_after_opening_is_one_line(sealed):
    bundle = open_bundle(sealed)
    (sealed / WEIGHTS).unlink()
    with pytest.raises(BundleError, match=r"model\.bin"):
        bundle.read(WEIGHTS)


# Manifests

MANIFESTS = {
    "not JSON": b"\x00\xff",
    "cut off": b'{"schema": 1',
    "a list": b"[]",
    "no schema": b"{}",
    "a newer schema": b'{"schema": 2}',
    "schema only": b'{"schema": 1}',
    "deep": b"[" * 100_000,
    "deep inside": b'{"schema": 1, "provenance": ' + b'{"a":' * 100_000,
    "not text": b'{"schema": 1, "name": "\xff"}',
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_strange_manifest_is_one_line(sealed, what):
    (sealed / MANIFEST).write_bytes(MANIFESTS[what])
    reseal(sealed)
    refused(sealed, MANIFEST if what not in ("no schema", "a newer schema") else "schema")


def test_a_manifest_with_unknown_fields_is_refused(sealed):
    text = (sealed / MANIFEST).read_text()
    (sealed / MANIFEST).write_text(text.replace('"name"', '"evil": 1, "name"', 1))
    reseal(sealed)
    refused(sealed, "evil")


BAD_NAMES = ["../x", "/etc/passwd", "a/../../x", "a/./b", "a//b", "", ".", "..", "a\\b", "a\0b", "a/", "./a"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_unsafe_names_are_neither_written_nor_read(sealed, tmp_path, name):
    with pytest.raises(BundleError, match="unsafe"):
        write(tmp_path / "new", CONTENT | {name: b"x"})
    assert not (tmp_path / "new").exists()
    escaped = name.replace("\\", "\\\\").replace("\0", "\\u0000")
    text = (sealed / MANIFEST).read_text()
    (sealed / MANIFEST).write_text(text.replace(WEIGHTS, escaped))
    reseal(sealed)
    refused(sealed, "unsafe")


def test_an_artefact_must_not_name_files_the_manifest_does_not_list(sealed):
    text = (sealed / MANIFEST).read_text()
    (sealed / MANIFEST).write_text(text.replace(f'"{WEIGHTS}"\n', '"artefacts/a/unlisted.bin"\n', 1))
    reseal(sealed)
    refused(sealed, "unlisted")


# Paths


def test_a_path_with_dots_is_refused(sealed):
    assert ".." in refused(sealed / ".." / sealed.name, "must not contain")


def test_paths_that_hold_no_bundle(tmp_path):
    refused(tmp_path / "missing", "no bundle here")
    refused(tmp_path, f"no {MANIFEST}")
    (tmp_path / "file.edge").write_bytes(b"no zip")
    refused(tmp_path / "file.edge", "no bundle here")


# Zips


def zipped(path, entries, **options):
    """Write entries (ZipInfo or name, data) as they are, however hostile."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        for info, data in entries:
            archive.writestr(info, data)
    return path


def contents(folder):
    return [(name, (folder / name).read_bytes()) for name in FILES]


def info_of(name, mode=stat.S_IFREG | 0o644, compression=zipfile.ZIP_STORED):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = compression
    return info


HOSTILE = {
    "traversal": [(info_of("../evil"), b"x")],
    "deep traversal": [(info_of("artefacts/../../evil"), b"x")],
    "absolute": [(info_of("/evil"), b"x")],
    "backslash": [(info_of("artefacts\\evil"), b"x")],
    "unlisted": [(info_of("artefacts/evil"), b"x")],
    "link": [(info_of("artefacts/evil", stat.S_IFLNK | 0o777), b"/etc/passwd")],
    "device": [(info_of("artefacts/evil", stat.S_IFCHR | 0o666), b"")],
    "pipe": [(info_of("artefacts/evil", stat.S_IFIFO | 0o666), b"")],
    "compressed": [(info_of("artefacts/evil", compression=zipfile.ZIP_DEFLATED), bytes(10_000))],
    "bomb": [(info_of("artefacts/evil", compression=zipfile.ZIP_BZIP2), bytes(50_000_000))],
    "traversing folder": [(info_of("../evil/", stat.S_IFDIR | 0o755), b"")],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_zips_are_refused_and_write_nothing(sealed, tmp_path, what):
    path = zipped(tmp_path / "hostile.edge", [*contents(sealed), *HOSTILE[what]])
    refused(path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BundleError):
        unpack(path, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", [WEIGHTS, MANIFEST, SEAL])
def test_a_name_that_stands_twice_is_refused(sealed, tmp_path, name):
    twice = [*contents(sealed), (name, (sealed / name).read_bytes())]
    refused(zipped(tmp_path / "twice.edge", twice), "twice")


def test_a_file_in_the_place_of_a_listed_ones_link_is_refused(sealed, tmp_path):
    entries = [
        (info_of(name, stat.S_IFLNK | 0o777) if name == WEIGHTS else name, data) for name, data in contents(sealed)
    ]
    refused(zipped(tmp_path / "link.edge", entries), "link")


def test_a_zip_that_claims_more_than_it_holds_costs_no_memory(sealed, tmp_path):
    path = pack(sealed, tmp_path / "huge.edge")
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        wanted = archive.getinfo(WEIGHTS)
    # The sizes in the central directory: 3.9 GiB for a file of 256 bytes.
    at = data.index(b"PK\x01\x02")
    while data[at + 46 : at + 46 + len(WEIGHTS)] != WEIGHTS.encode():
        at = data.index(b"PK\x01\x02", at + 4)
    assert int.from_bytes(data[at + 24 : at + 28], "little") == wanted.file_size
    for place in (20, 24):
        data[at + place : at + place + 4] = (0xF9999999).to_bytes(4, "little")
    path.write_bytes(data)
    refused(path)


def test_an_encrypted_entry_is_one_line(sealed, tmp_path):
    path = pack(sealed, tmp_path / "locked.edge")
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(mark)
        data[at + flags] |= 1
    path.write_bytes(data)
    refused(path)


def test_a_program_with_a_zip_behind_it_reads_only_the_sealed_files(sealed, tmp_path):
    path = tmp_path / "prefixed.edge"
    path.write_bytes(b"#!/bin/sh\nexit 1\n" + pack(sealed, tmp_path / "plain.edge").read_bytes())
    assert open_bundle(path).read(WEIGHTS) == CONTENT[WEIGHTS]


# Pack and unpack


def test_packing_is_reproducible_and_unpacking_gives_the_same_bytes(sealed, tmp_path):
    packed = pack(sealed, tmp_path / "a.edge")
    os.utime(sealed / MODEL, (1, 1))
    again = write(tmp_path / "again")
    assert pack(again, tmp_path / "b.edge").read_bytes() == packed.read_bytes()
    unpacked = unpack(packed, tmp_path / "out")
    assert atomic.sha256_tree(unpacked) == atomic.sha256_tree(sealed)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.edge", "again", "b.edge", "out", "sealed"]


def test_a_damaged_bundle_is_not_packed(sealed, tmp_path):
    (sealed / WEIGHTS).write_bytes(b"x")
    with pytest.raises(BundleError):
        pack(sealed, tmp_path / "a.edge")
    assert [file.name for file in tmp_path.iterdir()] == ["sealed"]


def test_a_failed_write_leaves_the_old_bundle(sealed, tmp_path):
    before = atomic.sha256_tree(sealed)
    with pytest.raises(BundleError):
        write(sealed, {"../x": b""})
    with pytest.raises(FileNotFoundError):
        write(sealed, {WEIGHTS: tmp_path / "missing"})
    assert atomic.sha256_tree(sealed) == before
    assert [file.name for file in tmp_path.iterdir()] == ["sealed"]


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}(/[a-z0-9_.-]*[a-z0-9]){0,2}", fullmatch=True), st.binary(max_size=64), max_size=5
    )
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_files_survive_the_round_trip(tmp_path, content):
    names = set(content)
    if any(a != b and b.startswith(f"{a}/") for a in names for b in names):
        return  # a name can't be a file and a folder
    content = {**content, MODEL: b"m", WEIGHTS: b"w"} if not names & {"artefacts", "artefacts/a"} else CONTENT
    folder = write(tmp_path / "round", content)
    back = open_bundle(unpack(pack(folder, tmp_path / "round.edge"), tmp_path / "back"))
    assert {name: back.read(name) for name in back.manifest.files} == content


def test_golden_vectors_open_from_the_checked_bytes(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, **{"input:image": np.zeros((2, 4, 8, 3), np.uint8)})
    bundle = open_bundle(write(tmp_path / "golden", CONTENT | {GOLDEN: buffer.getvalue()}))
    assert np.load(io.BytesIO(bundle.read(GOLDEN)))["input:image"].shape == (2, 4, 8, 3)
