"""Agreement with FP32: what is judged, that equality is 100, that noise only takes away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from edgecnn.core.errors import DataError
from edgecnn.metrics.agreement import AGREEMENT, AgreementJudge
from edgecnn.metrics.decisions import channel_axis


def frames(make, n=6, seed=0):
    rng = np.random.default_rng(seed)
    return [{"y": make(rng).astype(np.float32)} for _ in range(n)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


KINDS = {
    "probability map": lambda r: sigmoid(r.normal(-1, 2, (1, 1, 12, 16))),
    "few positives": lambda r: sigmoid(r.normal(-4.4, 1, (1, 3, 12, 16))),
    "segmentation logits": lambda r: r.normal(0, 1, (1, 5, 12, 16)),
    "softmax map": lambda r: softmax(r.normal(0, 3, (1, 4, 12, 16)), 1),
    "one-channel logits": lambda r: r.normal(0.3, 1, (1, 1, 12, 16)),
    "class scores": lambda r: r.normal(0, 1, (1, 10)),
    "multi-label": lambda r: sigmoid(r.normal(0, 2, (1, 30))),
    "boxes": lambda r: r.normal(5, 30, (1, 40, 4)),
    "mixed": lambda r: np.concatenate([sigmoid(r.normal(0, 2, (1, 2, 9, 9))), r.normal(0, 9, (1, 4, 9, 9))], 1),
    "detector list": lambda r: np.concatenate([r.normal(300, 90, (1, 4, 60)), sigmoid(r.normal(-1, 2, (1, 8, 60)))], 1),
    "embedding": lambda r: r.normal(0, 1, (1, 3)) + np.array([9, 0, 0]),
    "positive depth": lambda r: r.uniform(2, 80, (1, 1, 12, 16)),
    "constant": lambda r: np.full((1, 2, 4, 4), 7.0),
}
BESIDE = ", the rest within 20 % of its spread"
TEXTS = {
    "probability map": "mean F1 of probabilities above 0.3 to 0.7",
    "few positives": "mean F1 of probabilities above 0.06 to 0.14",
    "segmentation logits": "mean Dice of 5 classes",
    "softmax map": "mean Dice of 4 classes",
    "one-channel logits": "mean Dice of both signs",
    "class scores": "same greatest value",
    "multi-label": "mean F1 of probabilities above 0.3 to 0.7",
    "boxes": "share within 5 % of the spread",
    "mixed": f"mean F1 of probabilities above 0.3 to 0.7{BESIDE}",
    "detector list": f"mean F1 of probabilities above 0.3 to 0.7{BESIDE}",
    "positive depth": "share within 5 % of the spread",
    "constant": "share within 5 % of the spread",
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def noisy(reference, amount, seed=1):
    rng = np.random.default_rng(seed)
    spread = np.std([f["y"] for f in reference]) or 1.0
    return [{"y": f["y"] + (rng.normal(0, amount * spread, f["y"].shape)).astype(np.float32)} for f in reference]


def test_the_rule_fits_the_output(kind):
    if kind in TEXTS:
        assert AgreementJudge(frames(KINDS[kind])).rules["y"].text == TEXTS[kind]


def test_identity_is_100(kind):
    reference = frames(KINDS[kind])
    judge = AgreementJudge(reference)
    assert judge.score(reference) == 100
    assert judge.rel_error(judge.records(reference)) == {"y": 0}


def test_more_noise_agrees_less(kind):
    reference = frames(KINDS[kind], n=12)
    judge = AgreementJudge(reference)
    scores = [judge.score(noisy(reference, amount)) for amount in (0, 1e-4, 0.3, 3)]
    assert scores[0] == 100
    assert scores[1] > 97
    assert scores[0] >= scores[1] >= scores[2] >= scores[3] or kind == "embedding"
    assert scores[3] < 90 or kind == "embedding"


def test_the_distance_answers_to_disturbances_too_small_to_change_the_agreement(kind):
    reference = frames(KINDS[kind], n=12)
    judge = AgreementJudge(reference)
    found = [judge.distance(noisy(reference, amount)) for amount in (0, 1e-4, 1e-3, 0.3)]
    assert found[0] == 0
    assert found[1] <= found[2] <= found[3] <= 1
    moving = kind not in ("embedding", "few positives", "labels") and reference[0]["y"].dtype.kind == "f"
    if moving and np.ptp(reference[0]["y"]) > 0:
        assert 0 < found[1] < 0.5 * found[2]


def test_an_object_of_another_class_or_box_is_another_object():
    rng = np.random.default_rng(5)
    objectness = sigmoid(rng.normal(-2, 2, (1, 1, 16, 16)))
    classes = softmax(rng.normal(0, 4, (1, 9, 16, 16)), 1)
    wanted = np.concatenate([objectness, rng.normal(0, 4, (1, 4, 16, 16)), classes], 1).astype(np.float32)
    judge = AgreementJudge([{"y": wanted}])
    for part in (slice(5, None), slice(1, 5)):
        found = wanted.copy()
        found[:, part] = np.roll(wanted[:, part], 1, axis=1)
        assert judge.score([{"y": found}]) < 50


def test_classes_of_a_place_without_an_object_mean_nothing():
    rng = np.random.default_rng(3)
    objectness = sigmoid(rng.normal(-2, 2, (1, 1, 16, 16)))
    boxes = rng.normal(0, 4, (1, 4, 16, 16))
    wanted = np.concatenate([objectness, boxes, softmax(rng.normal(0, 4, (1, 9, 16, 16)), 1)], 1).astype(np.float32)
    found = wanted.copy()
    empty = np.broadcast_to(objectness <= 0.3, (1, 9, 16, 16))
    found[:, 5:][empty] = wanted[:, 5:][:, ::-1][empty]
    judge = AgreementJudge([{"y": wanted}])
    assert "with the same greatest class" in judge.rules["y"].text
    assert judge.score([{"y": found}]) == 100
    found[:, 5:] = wanted[:, 5:][:, ::-1]
    assert judge.score([{"y": found}]) < 90


def detector(rng, shift=0.0):
    """Scores and boxes of 200 places; `shift` moves the boxes where there is no object."""
    scores = sigmoid(rng.normal(-3, 2, (1, 200, 6)))
    empty = (scores <= 0.5).all(axis=2, keepdims=True)
    boxes = rng.uniform(0, 1, (1, 200, 4)) * 9 - 4
    return {"boxes": boxes + shift * empty, "scores": scores}


def test_boxes_are_judged_where_an_object_is():
    wanted = [detector(np.random.default_rng(seed)) for seed in range(4)]
    found = [detector(np.random.default_rng(seed), shift=5.0) for seed in range(4)]
    judge = AgreementJudge(wanted)
    assert judge.text("boxes") == "share within 5 % of the spread, where 'scores' sees an object"
    assert judge.text("scores") == "mean F1 of probabilities above 0.3 to 0.7"
    assert judge.score(found) == 100
    assert judge.score([{**frame, "boxes": frame["boxes"] + 5} for frame in wanted]) == 0


def test_objects_against_a_background_class_are_not_hidden_by_it():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, (1, 500, 3))
    logits[:, :, 0] += 9
    logits[:, ::10, 1] += 20
    wanted = softmax(logits, 2)
    lost = wanted.copy()
    lost[:, ::20] = [0.9, 0.05, 0.05]
    assert AgreementJudge([{"y": wanted}]).score([{"y": lost}]) < 85


def test_dice_is_symmetric():
    for kind in ("probability map", "segmentation logits", "one-channel logits", "softmax map"):
        one, other = frames(KINDS[kind], seed=0), frames(KINDS[kind], seed=1)
        assert AgreementJudge(one).score(other) == pytest.approx(AgreementJudge(other).score(one))


def test_probabilities_match_an_f1_by_hand():
    wanted, found = np.zeros((1, 1, 6, 10), np.float32), np.zeros((1, 1, 6, 10), np.float32)
    wanted[..., :4, :] = 0.9
    found[..., 1:5, :] = 0.9
    assert AgreementJudge([{"y": wanted}]).score([{"y": found}]) == pytest.approx(100 * 2 * 30 / 80)


def test_a_thin_class_counts_as_much_as_the_background():
    wanted = np.zeros((1, 2, 40, 40), np.float32)
    wanted[:, 0] = 1.5
    wanted[:, 1, 20] = 2.5
    lost = wanted.copy()
    lost[:, 1] = 0
    assert AgreementJudge([{"y": wanted}]).score([{"y": lost}]) < 51


def test_label_maps_and_index_lists():
    labels = np.zeros((1, 20, 20), np.int64)
    labels[:, 5:8] = 3
    moved = np.roll(labels, 1, axis=1)
    judge = AgreementJudge([{"y": labels}])
    assert judge.rules["y"].text == "mean Dice of 2 labels"
    assert judge.score([{"y": labels}]) == 100
    assert 60 < judge.score([{"y": moved}]) < 90
    index = np.array([3], np.int64)
    assert AgreementJudge([{"y": index}] * 4).score([{"y": index}] * 3 + [{"y": index + 1}]) == 75


def test_the_worst_output_is_the_agreement_and_is_named():
    rng = np.random.default_rng(0)
    reference = [{"a": rng.normal(size=(1, 3, 8, 8)), "b": rng.normal(size=(1, 3, 8, 8))} for _ in range(4)]
    candidate = [{"a": f["a"], "b": f["b"] + rng.normal(size=f["b"].shape)} for f in reference]
    judge = AgreementJudge(reference)
    records = judge.records(candidate)
    totals = judge.totals(records)
    assert totals["agreement:a"] == 100
    assert totals[AGREEMENT] == totals["agreement:b"] < 80
    assert judge.worst(records) == "b"


def test_an_interval_holds_the_value_and_one_frame_has_none():
    reference = frames(KINDS["probability map"])
    judge = AgreementJudge(reference)
    found = judge.measure(judge.records(noisy(reference, 0.3)), "here")[AGREEMENT]
    assert found.low <= found.value <= found.high
    assert (found.n, found.unit, found.on) == (6, "%", "here")
    alone = AgreementJudge(reference[:1])
    assert alone.measure(alone.records(reference[:1]))[AGREEMENT].low is None


def test_nan_agrees_in_nothing_and_a_bad_reference_is_refused():
    reference = frames(KINDS["probability map"])
    broken = [{"y": np.full_like(f["y"], np.nan)} for f in reference]
    assert AgreementJudge(reference).score(broken) == 0
    with pytest.raises(DataError, match="NaN"):
        AgreementJudge(broken)
    with pytest.raises(DataError, match="no frame"):
        AgreementJudge([])
    with pytest.raises(DataError, match="frame by frame"):
        AgreementJudge(reference).score(reference[:-1])


@pytest.mark.parametrize(
    ("shape", "frame", "axis"),
    [
        ((1, 85, 22, 22), (352, 352), 1),
        ((1, 22, 22, 85), (352, 352), 3),
        ((1, 512, 1024, 19), (512, 1024), 3),
        ((1, 19, 512, 1024), (512, 1024), 1),
        ((1, 100, 56, 4), (160, 320), 1),
        ((1, 22, 22, 85), None, 3),
        ((1, 84, 8400), None, 1),
        ((1, 25200, 85), None, 2),
        ((1, 3, 20, 20, 85), None, 4),
        ((1, 10), None, 1),
        ((7,), None, None),
    ],
)
def test_where_the_channels_lie(shape, frame, axis):
    assert channel_axis(shape, frame) == axis


@given(arrays(np.float32, array_shapes(min_dims=1, max_dims=5, max_side=6), elements=st.floats(-8, 8, width=32)))
def test_any_output_agrees_with_itself(array):
    judge = AgreementJudge([{"y": array}, {"y": array}])
    assert judge.score([{"y": array}, {"y": array}]) == 100
    assert 0 <= judge.score([{"y": array}, {"y": -array}]) <= 100


def judged(wanted, found):
    return AgreementJudge([{"y": w} for w in wanted]).score([{"y": f} for f in found])


def test_what_goes_with_a_decision_is_judged_too():
    rng = np.random.default_rng(0)
    wanted = [
        np.concatenate([rng.uniform(0, 300, (1, 300, 4)), sigmoid(rng.normal(-2, 2, (1, 300, 6)))], 2) for _ in range(4)
    ]
    elsewhere = [np.concatenate([rng.uniform(0, 300, (1, 300, 4)), w[:, :, 4:]], 2) for w in wanted]
    assert judged(wanted, wanted) == 100
    assert judged(wanted, elsewhere) < 70


@pytest.mark.parametrize(
    ("shape", "spoil"),
    [
        ((1, 2, 16, 16), lambda x: 10 * x),
        ((1, 128), lambda x: np.where(x == x.max(), x, 0)),
        ((1, 3, 8, 8), np.zeros_like),
    ],
    ids=["flow", "embedding", "silence"],
)
def test_an_output_of_another_size_altogether_does_not_agree(shape, spoil):
    rng = np.random.default_rng(1)
    wanted = [rng.normal(0, 1, shape).astype(np.float32) for _ in range(4)]
    assert judged(wanted, [spoil(w) for w in wanted]) < 30
