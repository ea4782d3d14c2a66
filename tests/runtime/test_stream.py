import queue
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.core.errors import DataError, TensorError
from edgecnn.core.results import Lanes
from edgecnn.runtime.stream import FrameStream

BAD = 13
END = object()


def picture(value):
    return np.full((4, 6, 3), value, np.uint8)


def model(frame):
    if frame[0, 0, 0] == BAD:
        raise TensorError("a bad frame")
    return Lanes((), frame.shape[1], frame.shape[0])


class Camera:
    """Gives a frame exactly when the test says so."""

    def __init__(self):
        self.orders = queue.Queue()

    def __iter__(self):
        while (order := self.orders.get()) is not END:
            if isinstance(order, BaseException):
                raise order
            yield str(order), picture(order)


def until(condition, limit_s=5.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "never happened"
        time.sleep(0.0005)


def started(camera, **options):
    """A stream whose thread already runs: the first frame starts it."""
    stream = FrameStream(model, camera, **options)
    camera.orders.put(0)
    assert next(stream).index == 0
    return stream


def balanced(counts):
    return counts.produced == counts.processed + counts.dropped + counts.waiting


@given(st.lists(st.sampled_from(["good", "bad", "take"]), max_size=25), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_order_of_frames_and_looks_keeps_the_books(orders, ends_first):
    camera = Camera()
    stream = started(camera)
    produced, processed, dropped, slot = 1, 1, 0, None
    for order in orders:
        if order == "take":
            if slot is None:
                continue
            index, good = slot
            if good:
                item = next(stream)
                assert (item.index, item.name, item.age_ms >= 0) == (index, str(index % 10), True)
                assert item.frame[0, 0, 0] == index % 10
                processed += 1
            else:
                with pytest.raises(TensorError, match="a bad frame"):
                    next(stream)
                dropped += 1
            slot = None
        else:
            dropped += slot is not None
            slot = (produced, order == "good")
            camera.orders.put(produced % 10 if order == "good" else BAD)
            produced += 1
            until(lambda wanted=produced: stream.counts.produced == wanted)
        assert balanced(stream.counts)
        assert (stream.counts.processed, stream.counts.dropped) == (processed, dropped)
    if ends_first:
        camera.orders.put(END)
        if slot is not None and not slot[1]:
            with pytest.raises(TensorError):
                next(stream)
        elif slot is not None:
            assert next(stream).index == slot[0]
        with pytest.raises(StopIteration):
            next(stream)
    camera.orders.put(END)
    stream.close()
    counts = stream.counts
    assert counts.waiting == 0
    assert counts.produced == counts.processed + counts.dropped == produced


def test_a_camera_three_times_too_fast_leaves_fresh_results_and_true_counts():
    def camera():
        for number in range(90):
            time.sleep(0.002)
            yield str(number), picture(number % 10)

    def slow(frame):
        time.sleep(0.006)
        return model(frame)

    with FrameStream(slow, camera()) as stream:
        items = list(stream)
        counts = stream.counts
    assert [item.index for item in items] == sorted({item.index for item in items})
    assert items[-1].index == 89
    assert (counts.produced, counts.processed, counts.waiting) == (90, len(items), 0)
    assert counts.dropped == 90 - len(items) > 0


def test_late_results_are_marked_and_counted():
    camera = Camera()
    for number in range(3):
        camera.orders.put(number)
    camera.orders.put(END)

    def sleepy(frame):
        time.sleep(0.02)
        return model(frame)

    with FrameStream(sleepy, camera, deadline_ms=10) as stream:
        items = list(stream)
    assert items
    assert all(item.late and item.age_ms > 10 for item in items)
    assert stream.counts.late == len(items)
    assert not started(Camera()).counts.late


def test_an_error_of_the_camera_reaches_the_caller_after_the_frame_that_waits():
    camera = Camera()
    stream = started(camera)
    camera.orders.put(1)
    camera.orders.put(DataError("cable pulled"))
    until(lambda: not stream._thread.is_alive())
    assert next(stream).index == 1
    with pytest.raises(DataError, match="cable pulled"):
        next(stream)
    with pytest.raises(StopIteration):
        next(stream)
    stream.close()


def test_a_silent_camera_is_an_error_and_may_come_back():
    camera = Camera()
    stream = started(camera, timeout_s=0.05)
    with pytest.raises(DataError, match=r"no frame for 0\.05 s"):
        next(stream)
    camera.orders.put(1)
    assert next(stream).index == 1
    camera.orders.put(END)
    stream.close()


def test_closing_ends_the_thread_and_closes_the_source():
    closed = threading.Event()

    def camera():
        try:
            while True:
                time.sleep(0.001)
                yield "x", picture(1)
        finally:
            closed.set()

    before = threading.active_count()
    with FrameStream(model, camera()) as stream:
        next(stream)
    assert threading.active_count() == before
    assert closed.wait(1)
    counts = stream.counts
    assert counts.produced == counts.processed + counts.dropped
    with pytest.raises(StopIteration):
        next(stream)


def test_a_stream_never_iterated_starts_nothing():
    before = threading.active_count()
    with FrameStream(model, Camera()) as stream:
        assert threading.active_count() == before
    assert stream.counts.produced == 0
