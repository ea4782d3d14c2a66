"""Layer times on disk: what was written is read again, and anything else is refused in one line."""

import msgspec
import pytest

from edgecnn.core.errors import InputError
from edgecnn.core.layer_times import LayerRecord, Place, RecordedTimes, TimesFile, read_times
from edgecnn.core.layers import LayerShape

SHAPE = LayerShape(op="linear", in_channels=5, out_channels=7)
FILE = TimesFile(Place("openvino", "1.0", "a board", 1, "fp32"), 100.0, (LayerRecord(SHAPE, 12.5, 30),))


def test_recorded_times_are_read_again(tmp_path):
    path = tmp_path / "times.json"
    path.write_bytes(msgspec.json.encode(FILE))
    times = RecordedTimes(read_times(path))
    times.prepare([SHAPE])
    assert times.time_ms(SHAPE) == pytest.approx(0.0125)
    assert times.time_ms(SHAPE.with_channels(5, 6)) is None
    assert (times.how, times.on) == ("measured", "openvino 1.0, fp32, 1 thread, a board")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"place": 1}', b"\xff"])
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "times.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="measure them again") as error:
        read_times(path)
    assert "\n" not in str(error.value)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_times(tmp_path / "none.json")
