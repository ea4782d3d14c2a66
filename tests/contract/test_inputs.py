"""What goes in: refused by name when wrong, taken in any memory layout, and never aliased with what comes out."""

import numpy as np
import pytest
from contract_cases import PRESENT, REAL, engine_of, float_engine, frames
from contract_networks import float_network

from edgecnn.core.errors import TensorError

SHAPE = r"\[1, 3, 5, 7\]"


def bad_feeds(good):
    left = good["left"]
    poisoned, endless = left.copy(), left.copy()
    poisoned[0, 0, 1, 2], endless[0, 0, 2, 4] = np.nan, np.inf
    yield "one missing", {"left": left}, "named"
    yield "one too many", {**good, "extra": left}, "named"
    yield "misnamed", {"lefty": left, "right": left}, "named"
    yield "shape", {**good, "left": left[:, :2]}, SHAPE
    yield "rank", {**good, "left": left[0]}, SHAPE
    yield "transposed", {**good, "left": left.transpose(0, 1, 3, 2)}, SHAPE
    yield "empty", {**good, "left": left[:0]}, SHAPE
    yield "two frames", {**good, "left": np.concatenate([left, left])}, SHAPE
    yield "double", {**good, "left": left.astype(np.float64)}, "float32"
    yield "integers", {**good, "left": left.astype(np.int32)}, "float32"
    yield "bytes swapped", {**good, "left": left.astype(left.dtype.newbyteorder())}, "float32"
    yield "a list", {**good, "left": left.tolist()}, "NumPy"
    yield "NaN", {**good, "left": poisoned}, "NaN"
    yield "infinity", {**good, "left": endless}, "NaN or infinity"


@pytest.mark.parametrize("name", PRESENT)
def test_bad_inputs_are_refused_by_name_and_the_next_good_one_works(name):
    engine = float_engine(name)
    good = float_network().feeds(0)
    wanted = engine.infer(good)["sum"]
    for what, feeds, words in bad_feeds(good):
        with pytest.raises(TensorError, match=words) as caught:
            engine.infer(feeds)
        assert "\n" not in str(caught.value), what
        np.testing.assert_array_equal(engine.infer(good)["sum"], wanted, err_msg=what)
    engine.close()


@pytest.mark.parametrize("name", REAL)
def test_strided_views_give_what_their_copies_give(name):
    engine = engine_of(name, frames(name, 7, 5))
    wide = np.random.default_rng(0).integers(0, 256, (1, 14, 10, 6), np.uint8)
    for view in (
        wide[:, ::2, ::-2, ::2],
        wide[:, :7, :5, :3],
        wide.transpose(0, 3, 2, 1)[:, :, :5, :3].repeat(2, 1)[:, :7],
    ):
        strided, whole = engine.infer({"frame": view}), engine.infer({"frame": view.copy()})
        for key in whole:
            np.testing.assert_array_equal(strided[key], whole[key])
    engine.close()


@pytest.mark.parametrize("name", PRESENT)
def test_inputs_that_may_not_be_written_are_read(name):
    network = frames(name, 7, 5)
    engine = engine_of(name, network)
    feeds = network.feeds(0)
    wanted = engine.infer(feeds)
    for array in feeds.values():
        array.flags.writeable = False
    for key, got in engine.infer(feeds).items():
        np.testing.assert_array_equal(got, wanted[key])
    engine.close()


@pytest.mark.parametrize("name", PRESENT)
def test_outputs_and_inputs_are_not_aliased(name):
    network = frames(name, 7, 5)
    engine = engine_of(name, network)
    feeds = network.feeds(0)
    before = {key: array.copy() for key, array in feeds.items()}
    first = engine.infer(feeds)
    kept = {key: array.copy() for key, array in first.items()}
    for seed in range(1, 4):
        second = engine.infer(network.feeds(seed))
    for key, array in first.items():
        np.testing.assert_array_equal(array, kept[key])
        assert not (array.flags.writeable and np.may_share_memory(array, second[key]))
    for key, array in feeds.items():
        np.testing.assert_array_equal(array, before[key])
        array[:] = 0
    for key, array in first.items():
        np.testing.assert_array_equal(array, kept[key])
    engine.close()
    for key, array in first.items():
        np.testing.assert_array_equal(array, kept[key])
