"""Layer tables: measured once, kept on disk, shared by processes, and as large as the time for them allows."""

import msgspec
import numpy as np
import pytest

from edgecnn.compress_model import layer_table
from edgecnn.compress_model.layer_source import elsewhere, here
from edgecnn.compress_model.layer_table import LayerTable, cache_folder
from edgecnn.compress_model.stopwatch import Stopwatch
from edgecnn.core.errors import InputError
from edgecnn.core.layer_times import Place, TimesFile, read_times
from edgecnn.core.layers import LayerShape
from edgecnn.export.layer_probe import copies_for, layer_probe


def conv(channels: int, size: int = 24) -> LayerShape:
    sizes = {"kernel": (3, 3), "in_size": (size, size), "out_size": (size, size)}
    return LayerShape(op="conv", in_channels=channels, out_channels=channels, **sizes)


SHAPES = [conv(8), conv(64), LayerShape(op="linear", in_channels=256, out_channels=512)]


@pytest.mark.parametrize("target", ["onnxruntime", "openvino"])
def test_times_are_measured_once_and_kept(tmp_path, target):
    stopwatch = Stopwatch(target, 1)
    table = LayerTable(stopwatch, tmp_path)
    assert [table.time_ms(shape) for shape in SHAPES] == [None] * 3
    table.prepare(SHAPES)
    taken = [table.time_ms(shape) for shape in SHAPES]
    assert all(one is not None and one > 0 for one in taken)
    # 64 times the multiply-adds: whatever else the machine does, that can be told.
    assert taken[1] > 3 * taken[0]
    again = LayerTable(stopwatch, tmp_path)
    again.prepare(SHAPES)
    assert [again.time_ms(shape) for shape in SHAPES] == taken
    assert read_times(table.file).place == stopwatch.place


class Machine:
    """Races of nine rounds in which each engine takes half as long again as the one before, at the machine's pace."""

    def __init__(self):
        self.pace = 1e-4

    def __call__(self, engines, _seconds, *, alone=False):  # noqa: ARG002 - the face of `times`
        return np.tile(self.pace * 1.5 ** np.arange(len(engines)), (9, 1))


@pytest.fixture
def machine(monkeypatch):
    found = Machine()
    monkeypatch.setattr(layer_table, "times", found)
    return found


def test_a_machine_s_slow_minutes_do_not_show(tmp_path, machine):
    table = LayerTable(Stopwatch("onnxruntime", 1), tmp_path)
    network = layer_probe(conv(64), 1, 20)
    table.prepare([conv(64)])
    before = table.networks([network], 0.1)[0].value
    machine.pace *= 5
    table.prepare([conv(64, 25)])
    assert table.time_ms(conv(64, 25)) * copies_for(conv(64, 25)) == pytest.approx(
        table.time_ms(conv(64)) * copies_for(conv(64))
    )
    assert table.networks([network], 0.1)[0].value == pytest.approx(before)


@pytest.mark.usefixtures("machine")
def test_a_layer_slower_than_a_wider_one_is_timed_again(tmp_path):
    table = LayerTable(Stopwatch("onnxruntime", 1), tmp_path)
    table.prepare([conv(48)])
    table._records[conv(48)] = msgspec.structs.replace(table._records[conv(48)], time_us=1e-3)
    table.prepare([conv(32), conv(64)])
    assert {shape.in_channels: record.n for shape, record in table._records.items()} == {48: 9, 32: 18, 64: 9}


def test_tables_of_different_pace_are_written_at_the_first_one_s(tmp_path):
    one, other = (LayerTable(Stopwatch("onnxruntime", 1), tmp_path) for _ in range(2))
    one.prepare([conv(16)])
    other.prepare([conv(32)])
    pace, alone = read_times(one.file).pace_us, other.time_ms(conv(32))
    assert other.part([conv(32)]).pace_us == pace
    assert LayerTable(Stopwatch("onnxruntime", 1), tmp_path).time_ms(conv(32)) == alone


def test_int8_is_timed_apart(tmp_path):
    table = LayerTable(Stopwatch("openvino", 1, "int8"), tmp_path)
    table.prepare([conv(16)])
    assert len(table) == 1
    assert table.file != LayerTable(Stopwatch("openvino", 1), tmp_path).file


def test_a_table_without_time_measures_nothing(tmp_path):
    table = LayerTable(Stopwatch("onnxruntime", 1), tmp_path, seconds=0)
    table.prepare(SHAPES)
    assert len(table) == 0
    assert not table.file.exists()


def test_a_table_that_runs_out_of_time_has_the_first_shapes(tmp_path):
    table = LayerTable(Stopwatch("onnxruntime", 1), tmp_path, seconds=1e-6)
    shapes = [conv(channels, 4) for channels in range(1, 40)]
    table.prepare(shapes)
    assert 0 < len(table) < len(shapes)
    assert table.time_ms(shapes[0]) is not None


def test_what_two_tables_measure_ends_in_one_file(tmp_path):
    one, other = (LayerTable(Stopwatch("onnxruntime", 1), tmp_path) for _ in range(2))
    one.prepare(SHAPES[:1])
    other.prepare(SHAPES[1:])
    assert {record.shape for record in read_times(one.file).records} == set(SHAPES)


def test_a_damaged_table_is_refused(tmp_path):
    table = LayerTable(Stopwatch("onnxruntime", 1), tmp_path)
    table.file.write_text("{")
    with pytest.raises(InputError, match="no layer times"):
        LayerTable(Stopwatch("onnxruntime", 1), tmp_path)


def test_the_cache_is_the_user_s_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "edgecnn" / "layers"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder().parts[-3:] == (".cache", "edgecnn", "layers")


def test_times_of_this_machine_and_of_others(tmp_path):
    assert here(Stopwatch("onnxruntime", 1), tmp_path).how == "measured"
    path = tmp_path / "board.json"
    path.write_bytes(msgspec.json.encode(TimesFile(Place("tensorrt", "10.3", "a board", 1, "int8"), 100.0, ())))
    assert elsewhere(str(path), "int8").on == "tensorrt 10.3, int8, 1 thread, a board"
    assert elsewhere("jetson-orin-nx-16gb/tensorrt", "int8").how == "predicted"
    assert elsewhere(str(path)).on == "tensorrt 10.3, int8, 1 thread, a board"
    assert "tensorrt, int8" in elsewhere("jetson-orin-nx-16gb/tensorrt").on


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("none.json", "no layer times can be read"),
        ("jetson-orin-nx-16gb", "device/engine such as jetson-orin-nx-16gb/tensorrt"),
        ("jetson-orin-nx-16gb/ncnn", "does not run ncnn"),
        ("jetson-orin-nx-16gb/tensorrt/9000W", "no power mode"),
        ("jetson-orin/tensorrt", "jetson-orin"),
    ],
)
def test_a_source_that_is_none_is_refused(source, says):
    with pytest.raises(InputError, match=says):
        elsewhere(source, "int8")
