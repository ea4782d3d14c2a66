"""Matlab files: equal to scipy's reader on whole ones, one line about damaged ones."""

import contextlib
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import loadmat, savemat

from edgecnn.core.errors import DataError
from edgecnn.data.formats import matlab
from edgecnn.data.formats.matlab import Cells, Structs, load_matlab


def walked(value):
    """Return everything in a value, as plain lists and dictionaries."""
    if isinstance(value, dict):
        return {name: walked(one) for name, one in value.items()}
    if isinstance(value, Cells):
        return [walked(one) for one in value]
    if isinstance(value, Structs):
        return [{name: walked(one) for name, one in struct_.items()} for struct_ in value]
    return value if isinstance(value, str) else value.tolist()


def of_scipy(value):
    """Return the same of what scipy's reader gives."""
    if value.dtype.names:
        return [{name: of_scipy(one[name]) for name in value.dtype.names} for one in value.reshape(-1, order="F")]
    if value.dtype == object:
        return [of_scipy(one) for one in value.reshape(-1, order="F")]
    if value.dtype.kind == "U":
        return str(value[0]) if value.size else ""
    return value.astype(float).tolist()


def cell_of(values):
    made = np.empty((1, len(values)), object)
    for place, value in enumerate(values):
        made[0, place] = value
    return made


kinds = st.sampled_from([np.float64, np.float32, np.int8, np.uint16, np.int32])
shapes = st.tuples(st.integers(0, 3), st.integers(0, 4))
number = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-(2**40), 2**40),
    arrays(kinds, shapes, elements=st.integers(0, 90)),
)
words = st.text("abc Z_-.", min_size=1, max_size=9)
content = st.recursive(
    number | words,
    lambda inner: (
        st.dictionaries(st.sampled_from(["id", "pos", "a_long_name", "lbl"]), inner, min_size=1)
        | st.lists(inner, min_size=1, max_size=3).map(cell_of)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["A", "vers", "b"]), content, min_size=1), st.booleans())
def test_whole_files_read_as_scipy_reads_them(tmp_path_factory, variables, packed):
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    savemat(path, variables, do_compression=packed)
    known = {name: of_scipy(value) for name, value in loadmat(path).items() if not name.startswith("__")}
    assert walked(load_matlab(path)) == known


def test_the_other_byte_order_is_read(tmp_path):
    flags = struct.pack(">IIII", 6, 8, 6, 0)
    shape = struct.pack(">IIii", 5, 8, 1, 2)
    name = struct.pack(">HH4s", 1, 1, b"a")
    values = struct.pack(">IIdd", 9, 16, 1.5, -2)
    body = flags + shape + name + values
    (tmp_path / "a.mat").write_bytes(
        b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + struct.pack(">II", 14, len(body)) + body
    )
    assert load_matlab(tmp_path / "a.mat")["a"].tolist() == [[1.5, -2]]


def element(kind, body):
    return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)


def matrix(kind, shape, *parts, name=b"a"):
    flags = element(6, struct.pack("<II", kind, 0))
    head = flags + element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name)
    return element(14, head + b"".join(parts))


def file_of(*elements):
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements)


def nested(depth):
    inner = matrix(6, (1, 1), element(9, struct.pack("<d", 1.0)), name=b"")
    for _ in range(depth):
        inner = matrix(1, (1, 1), inner, name=b"")
    return inner


BOMB = zlib.compress(element(14, bytes(3_000_000)), 9)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "no Matlab file of version 5"),
        (b"\x89HDF\r\n\x1a\n".ljust(600), "version 7.3"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM", "version 7.3"),
        (file_of(nested(3))[:-20], "cut off"),
        (file_of(nested(2000)), "more than 16 deep"),
        (file_of(matrix(1, (50_000, 50_000))), "0 matrices in an array of shape [50000, 50000]"),
        (file_of(matrix(6, (2**31 - 1, 2**31 - 1, 9), element(9, bytes(8)))), "a matrix of shape"),
        (file_of(matrix(6, (-4, 2), element(9, bytes(8)))), "a matrix of shape [-4, 2]"),
        (file_of(matrix(17, (1, 1))), "an array of class 17"),
        (file_of(matrix(16, (1, 1))), "an array of class 16"),
        (file_of(struct.pack("<II", 15, 8) + b"no zlib!"), "packed data is damaged"),
        (file_of(struct.pack("<II", 15, len(BOMB)) + BOMB), "unpacks to more than 1 MiB"),
        (file_of(element(14, element(6, bytes(8)))), "no matrix at byte"),
    ],
)
def test_a_hostile_file_is_refused_in_one_line(tmp_path, data, text, monkeypatch):
    monkeypatch.setattr(matlab, "_MOST_UNPACKED", 1 << 20)
    path = tmp_path / "a.mat"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        walked(load_matlab(path))
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_damage_makes_it_fail_otherwise(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    savemat(path, {"A": {"cells": cell_of([1.0, "text", {"x": 5.0}]), "rows": np.ones((3, 4))}})
    data = bytearray(path.read_bytes())
    for share, byte in changes:
        data[int(share * len(data))] = byte
    path.write_bytes(bytes(data))
    with contextlib.suppress(DataError):
        walked(load_matlab(path))
