"""Gates in words: what can be said, and one line for each that can't."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecnn.core.errors import InputError
from edgecnn.core.gate_rule import GateRule, ObjectCondition, TagCondition, check, parse

FIGURES = {"people": ("ap50", "recall", "mr_small"), "tusimple": ("accuracy",)}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("accuracy >= 0.9", GateRule("accuracy", (), ">=", 0.9)),
        (
            "recall[height<80, night] >= 0.6",
            GateRule("recall", (ObjectCondition("height", "<", 80.0), TagCondition("night")), ">=", 0.6),
        ),
        ("ap50[visibility>=0.65] >= .8", GateRule("ap50", (ObjectCondition("visibility", ">=", 0.65),), ">=", 0.8)),
        ("mr_small[not night] <= 0.3", GateRule("mr_small", (TagCondition("night", there=False),), "<=", 0.3)),
        ("recall[class=rider]>0", GateRule("recall", (ObjectCondition("label", "=", "rider"),), ">", 0.0)),
        (
            "recall[label = 'sitting person'] > 0",
            GateRule("recall", (ObjectCondition("label", "=", "sitting person"),), ">", 0),
        ),
        ("recall[occluded==1] < 1", GateRule("recall", (ObjectCondition("occluded", "=", 1.0),), "<", 1.0)),
        ("people.recall[partly cloudy] >= 0.5", GateRule("people.recall", (TagCondition("partly cloudy"),), ">=", 0.5)),
    ],
)
def test_what_can_be_said(text, rule):
    assert check(text, FIGURES) == rule
    assert parse(f"{rule.slice_text} {rule.bound} {rule.limit:g}") == rule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "write FIGURE[CONDITIONS] >= NUMBER"),
        ("recall", "write FIGURE[CONDITIONS] >= NUMBER"),
        ("recall[night >= 0.6", "write FIGURE[CONDITIONS] >= NUMBER"),
        ("recal >= 0.6", "unknown figure 'recal' (did you mean 'recall'?"),
        ("peple.recall >= 0.6", "unknown metric 'peple' (did you mean 'people'?"),
        ("recall = 0.6", "'=' bounds nothing"),
        ("recall >= much", "'much' is no number"),
        ("recall >= nan", "'nan' is no number"),
        ("recall[height<tall] >= 0.6", "'tall' is no number; < compares numbers"),
        ("recall[] >= 0.6", "can't read the condition ''"),
        ("recall[night,] >= 0.6", "can't read the condition ''"),
        ("recall[<80] >= 0.6", "can't read the condition '<80'"),
    ],
)
def test_what_can_not(text, words):
    with pytest.raises(InputError) as caught:
        check(text, FIGURES)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_one_line(text):
    try:
        rule = parse(text)
    except InputError:
        return
    assert parse(f"{rule.slice_text}{rule.bound}{rule.limit!r}").figure == rule.figure


@pytest.mark.parametrize(
    ("bound", "below", "at", "above"), [(">=", 0, 1, 1), (">", 0, 0, 1), ("<=", 1, 1, 0), ("<", 1, 0, 0)]
)
def test_bounds(bound, below, at, above):
    rule = parse(f"ap50 {bound} 0.5")
    assert [rule.holds(value) for value in (0.4, 0.5, 0.6)] == [bool(below), bool(at), bool(above)]
