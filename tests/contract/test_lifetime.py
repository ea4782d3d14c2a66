"""Sixteen threads at once, fifty loads, and what a closed engine says."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from contract_cases import (
    CASES,
    PRESENT,
    PRESENT_AND_PRECISION,
    REAL,
    engine_of,
    files_of,
    float_engine,
    frames,
    open_files,
    precisions,
)
from contract_networks import float_network

from edgecnn.core.errors import EngineError

THREADS, TURNS = 16, 40
MOST_GROWTH_MIB = 3
"""A network kept by mistake costs 100 KiB a load and more; the rest is the allocators' slack."""


@pytest.mark.parametrize(("name", "precision"), PRESENT_AND_PRECISION)
def test_sixteen_threads_match_one(name, precision):
    network = frames(name, 33, 17, precision)
    engine = engine_of(name, network, precision, threads=2)
    feeds = [network.feeds(seed) for seed in range(THREADS)]
    wanted = [engine.infer(feed) for feed in feeds]
    start = threading.Barrier(THREADS)

    def work(number):
        start.wait()
        for turn in range(TURNS):
            k = (number + turn) % THREADS
            got = engine.infer(feeds[k])
            for key in got:
                np.testing.assert_array_equal(got[key], wanted[k][key])
        return TURNS

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(work, range(THREADS))) == THREADS * TURNS
    engine.close()


def resources():
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("name", {CASES[name].engine: name for name in reversed(PRESENT)}.values())
def test_fifty_loads_leave_no_memory_threads_or_files_behind(name):
    loads = []
    for precision in precisions(name):
        network = frames(name, 33, 17, precision)
        loads.append((network, files_of(name, network, precision), network.feeds(0)))

    def cycle(times):
        for turn in range(times):
            network, files, feeds = loads[turn % len(loads)]
            engine = open_files(name, files, network, threads=2)
            engine.infer(feeds)
            engine.close()

    cycle(10)
    grown = []
    # Allocators fill up once, what is kept by mistake is kept again every time.
    while not grown or (grown[-1] >= MOST_GROWTH_MIB and len(grown) < 3):
        memory_mib, threads, descriptors = resources()
        cycle(50)
        memory_after_mib, threads_after, descriptors_after = resources()
        assert threads_after <= threads
        assert descriptors_after <= descriptors
        grown.append(memory_after_mib - memory_mib)
    assert min(grown) < MOST_GROWTH_MIB, grown


@pytest.mark.parametrize("name", REAL)
def test_a_closed_engine_says_so(name):
    engine = float_engine(name)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(float_network().feeds(0))
    with pytest.raises(EngineError, match="closed"):
        engine.facts()


@pytest.mark.parametrize("name", REAL)
def test_closing_while_others_infer_ends_each_of_them_with_a_result_or_a_clear_word(name):
    network = frames(name, 33, 17)
    engine, feeds = engine_of(name, network), network.feeds(0)
    wanted = engine.infer(feeds)
    started = threading.Barrier(5)

    def work():
        started.wait()
        for _ in range(100_000):
            try:
                got = engine.infer(feeds)
            except EngineError as error:
                return str(error)
            for key in got:
                np.testing.assert_array_equal(got[key], wanted[key])
        raise AssertionError("the engine was never closed")

    with ThreadPoolExecutor(4) as pool:
        ends = [pool.submit(work) for _ in range(4)]
        started.wait()
        engine.infer(feeds)
        engine.close()
        for end in ends:
            assert "closed" in end.result()


@pytest.mark.parametrize("name", REAL)
def test_two_networks_at_once_do_not_disturb_each_other(name):
    last = precisions(name)[-1]
    small, large = frames(name, 7, 5), frames(name, 33, 17, last)
    first, second = engine_of(name, small), engine_of(name, large, last)
    alone = [first.infer(small.feeds(0)), second.infer(large.feeds(0))]
    first.infer(small.feeds(1))
    again = [second.infer(large.feeds(0)), first.infer(small.feeds(0))]
    for before, after in zip(alone, reversed(again), strict=True):
        for key in before:
            np.testing.assert_array_equal(before[key], after[key])
    second.close()
    for key, value in first.infer(small.feeds(0)).items():
        np.testing.assert_array_equal(value, alone[0][key])
    first.close()
