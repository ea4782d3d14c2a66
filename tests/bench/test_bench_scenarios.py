import numpy as np
from bench_fakes import FakeClock, timed_system
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecnn.bench.camera import Camera
from edgecnn.bench.engine_only import EngineOnly
from edgecnn.bench.scenario import LEAD_IN, MIN_QUERIES
from edgecnn.bench.single_stream import SingleStream

MS = 1_000_000


def test_single_stream_splits_a_query_into_its_parts():
    clock = FakeClock()
    rows = SingleStream().block(timed_system(clock, lambda _: 5 * MS, pre_ns=2 * MS, post_ns=MS), clock, 0.1)
    assert len(rows) == 13
    assert (rows[:, 1:] == [2 * MS, 5 * MS, MS]).all()
    assert (np.diff(rows[:, 0]) == 8 * MS).all()
    assert (SingleStream().latency_ns(rows) == 8 * MS).all()


def test_engine_only_times_the_engine_alone():
    clock = FakeClock()
    rows = EngineOnly().block(timed_system(clock, lambda _: 5 * MS, pre_ns=2 * MS, post_ns=MS), clock, 0.1)
    assert (EngineOnly().latency_ns(rows) == 5 * MS).all()
    assert len(rows) == 20


def test_a_slow_system_is_asked_often_enough_to_be_judged():
    clock = FakeClock()
    for scenario in (SingleStream(), EngineOnly(), Camera(30)):
        rows = scenario.block(timed_system(clock, lambda _: 10 * MS), clock, 0.001)
        assert len(rows) >= MIN_QUERIES > LEAD_IN


def test_camera_counts_the_wait_that_coordinated_omission_hides():
    """One stall of a second at 100 frames/s: asked one after another it is one bad sample, for the camera it is not."""
    clock, camera = FakeClock(), Camera(100)
    stalls = timed_system(clock, lambda n: 1000 * MS if n == 50 else MS)
    closed = SingleStream().latency_ns(SingleStream().block(stalls, clock, 4))
    assert np.sum(closed > 10 * MS) == 1

    clock = FakeClock()
    rows = camera.block(timed_system(clock, lambda n: 1000 * MS if n == 50 else MS), clock, 4)
    latency = camera.latency_ns(rows)
    assert latency.max() == 1000 * MS
    assert rows[:, 5].sum() == 99
    assert len(rows) + rows[:, 5].sum() == 400


def test_camera_latency_counts_from_the_schedule_when_every_frame_is_a_little_late():
    """12 ms of work every 10 ms: timed from its start each query takes 12 ms, from the schedule up to a period more."""
    clock, camera = FakeClock(), Camera(100)
    rows = camera.block(timed_system(clock, lambda _: 12 * MS), clock, 2)
    latency = camera.latency_ns(rows)
    assert (rows[:, 3] == 12 * MS).all()
    assert latency.max() == 20 * MS
    assert rows[:, 5].sum() > 0
    # The slot holds one frame: a result is never older than the work and one period.
    assert (latency < 12 * MS + camera.period_ns).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 200 * MS), min_size=1, max_size=50), st.sampled_from([7.5, 30.0, 60.0, 1000.0]))
def test_camera_loses_no_frame_from_its_books(times, fps):
    clock, camera = FakeClock(), Camera(fps)
    start = clock.now_ns()
    rows = camera.block(timed_system(clock, lambda n: times[n % len(times)]), clock, 3)
    scheduled, wait = rows[:, 0], rows[:, 1]
    produced = max(MIN_QUERIES, round(3 * fps))
    assert len(rows) + rows[:, 5].sum() == produced
    assert (wait >= 0).all()
    assert (np.diff(scheduled) > 0).all()
    assert scheduled[0] == start + camera.period_ns
    assert scheduled[-1] == scheduled[0] + (produced - 1) * camera.period_ns
    # Served is always the newest frame there is; the last one stays in the slot for as long as it takes.
    assert (wait[:-1] < camera.period_ns).all()
