"""Decisions of a record: which are taken over, onto which scheme, and when ranges are not."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_nets import answers, feeds, frames, relative_error, small_net

from edgecnn.compress.quantize.check import violations
from edgecnn.compress.quantize.quantize import Settings, quantize
from edgecnn.compress.quantize.replay import decisions_of
from edgecnn.core.evidence import QuantizedModel, UnitDecision
from edgecnn.core.registry import SCHEMES, resolve

OPENVINO = resolve("scheme", "openvino_cpu")
PLAIN = Settings(threads=1, correct=False, ranges="mse")


def record_of(report, decisions=None):
    return QuantizedModel(
        target="openvino",
        file="openvino-mixed.onnx",
        scheme="openvino_cpu",
        ranges="mse",
        frames=report.frames,
        quantized=report.quantized,
        left_in_float=report.left_in_float,
        tensors=report.tensors,
        decisions=decisions or {},
    )


def replayed(model, scheme, record, calibration, how=PLAIN):
    decisions = decisions_of(record)
    asked = dataclasses.replace(how, keep_float=decisions.keep_float, recorded=decisions.tensors)
    return quantize(model, scheme, calibration, asked)


def convolutions(model):
    return [node.name for node in model.graph.node if node.op_type == "Conv"]


def test_only_what_was_decided_is_a_decision():
    record = QuantizedModel(
        target="openvino",
        file="openvino-mixed.onnx",
        scheme="openvino_cpu",
        ranges="auto",
        frames=8,
        quantized=("a",),
        left_in_float={
            "b": "the search found INT8 no faster here",
            "c": "kept in float by 'c*'",
            "d": "gives an output of the graph",
            "g": "in float as decided for tensorrt_8-mixed",
            "e": "the search found INT8 to save too little time for the error it makes",
        },
        tensors={},
        decisions={
            "a": UnitDecision("int8", 0.1, 0.1, ""),
            "b": UnitDecision("float", -0.1, 0.1, ""),
            "e": UnitDecision("int8", 0.1, 0.1, ""),
            "f": UnitDecision("float", 0.1, 0.1, ""),
        },
    )
    found = decisions_of(record)
    assert found.origin == "openvino-mixed"
    assert set(found.keep_float) == {"b", "c", "e", "f", "g"}
    told = {"c": "kept in float by 'c'", "d": "kept in float by 'd'", "e": "gives an output of the graph"}
    assert found.reasons(told) == {**told, "c": "in float as decided for openvino-mixed"}
    assert found.known({"a", "d", "elsewhere"}) == 2


@settings(max_examples=8)
@given(
    seed=st.integers(0, 2**16),
    blocks=st.lists(st.sampled_from(["residual", "concat", "down"]), min_size=1, max_size=3),
    ranges=st.sampled_from(["minmax", "percentile", "mse", "entropy"]),
    name=st.sampled_from(["openvino_cpu", "onnxruntime_x86", "tensorrt_8"]),
    kept=st.integers(0, 2),
)
def test_a_record_gives_the_same_model_again(seed, blocks, ranges, name, kept):
    scheme = resolve("scheme", name)
    model = small_net(seed, blocks=blocks, opset=min(20, scheme.max_opset))
    how = dataclasses.replace(PLAIN, ranges=ranges)
    first, report = quantize(
        model, scheme, feeds(4), dataclasses.replace(how, keep_float=tuple(convolutions(model)[1 : 1 + kept]))
    )
    # Another method: what is recorded has to be taken, not found again.
    how = dataclasses.replace(how, ranges="minmax" if ranges != "minmax" else "mse")
    again, second = replayed(model, scheme, record_of(report), feeds(4), how)
    assert again.SerializeToString(deterministic=True) == first.SerializeToString(deterministic=True)
    assert second.tensors == report.tensors
    assert second.left_in_float == report.left_in_float


@pytest.mark.parametrize("name", SCHEMES)
def test_decisions_for_one_target_keep_the_rules_of_any_other(name):
    scheme = resolve("scheme", name)
    opset = min(20, scheme.max_opset)
    first, second = convolutions(small_net(3))[1:3]
    _, report = quantize(small_net(3), OPENVINO, feeds(8), dataclasses.replace(PLAIN, keep_float=(first,)))
    record = record_of(report, {second: UnitDecision("float", -0.1, 0.1, "")})
    model = small_net(3, opset=opset)
    again, found = replayed(model, scheme, record, feeds(8))
    assert violations(again, scheme) == []
    assert not {first, second} & set(found.quantized)
    assert found.quantized
    told = next(note for note in found.notes if "as recorded" in note)
    assert not told.startswith("0 of")
    batch = frames(8)
    assert relative_error(answers(again, batch), answers(model, batch)) < 0.2


def test_ranges_of_other_frames_are_not_taken_over():
    _, report = quantize(small_net(4), OPENVINO, feeds(4), PLAIN)
    dark = [{"image": one["image"] // 4} for one in feeds(4)]
    wanted, _ = quantize(small_net(4), OPENVINO, dark, PLAIN)
    found, again = replayed(small_net(4), OPENVINO, record_of(report), dark)
    assert found.SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)
    assert again.notes[0].startswith("0 of ")
    assert again.notes[0].endswith("the others chosen anew")


def test_tuned_ranges_keep_to_the_record():
    how = dataclasses.replace(PLAIN, ranges="entropy")
    _, report = quantize(small_net(5), OPENVINO, feeds(4), how)
    tuned = dataclasses.replace(PLAIN, ranges="auto", seconds=5.0)
    _, again = replayed(small_net(5), OPENVINO, record_of(report), feeds(4), tuned)
    assert again.tensors == report.tensors
