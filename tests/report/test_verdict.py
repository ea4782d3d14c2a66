from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from edgecnn.core.measure import Measurement
from edgecnn.report import verdict
from edgecnn.report.facts import ReportFacts, gather_bundle


def with_drop(facts: ReportFacts, drop: Measurement | None) -> ReportFacts:
    artefacts = tuple(replace(one, drop=drop) if one.name == "openvino-int8" else one for one in facts.artefacts)
    return replace(facts, artefacts=artefacts)


def test_a_pass_says_what_was_won_and_what_was_paid(facts):
    said = verdict.headline(facts)
    assert (said.status, said.word) == ("pass", "PASS")
    assert said.sentence == (
        "INT8 on OpenVINO runs 3.10\N{MULTIPLICATION SIGN} [3.01, 3.20] as fast as FP32 on ONNX Runtime and loses "
        "0.32 points [0.10, 0.54] of accuracy against FP32 on OpenVINO."
    )
    assert said.details == ("All 8 gates hold.",)


def test_a_fail_names_the_gate_and_by_how_much_first(failed):
    said = verdict.headline(failed)
    assert said.word == "FAIL"
    assert said.sentence == (
        "1 of 8 gates missed: openvino-int8: loses 2.72 [2.50, 2.94] points of accuracy (max_drop 1, missed by 1.72)."
    )
    assert said.details[-1].startswith("INT8 on ONNX Runtime runs 2.04")


def test_the_worst_miss_comes_first(failed):
    near = changed(failed.verify.gates[0], passed=False, limit=1.0, value=1.01, text="near")
    facts = replace(failed, verify=changed(failed.verify, gates=(near, *failed.verify.gates[1:])))
    assert [gate.artefact for gate in verdict.missed_gates(facts)] == ["openvino-int8", "openvino-fp32"]
    assert "near." in verdict.headline(facts).details


def test_an_artefact_that_missed_a_gate_is_not_the_one_spoken_of(facts, failed):
    assert verdict.chosen(facts).name == "openvino-int8"
    assert verdict.chosen(failed).name == "onnxruntime-int8"


def test_no_gate_is_not_a_pass(facts):
    artefacts = tuple(replace(one, passed=None) for one in facts.artefacts)
    said = verdict.headline(replace(facts, verify=None, artefacts=artefacts))
    assert said.word == "NOT JUDGED"
    assert said.status == "warn"


@pytest.mark.parametrize(
    ("drop", "expected"),
    [
        (
            Measurement(0.05, "points", 400, -0.1, 0.2),
            "[\N{MINUS SIGN}0.10, 0.20] of accuracy against FP32 on OpenVINO, which chance alone could explain.",
        ),
        (Measurement(0.0, "points", 400, -0.01, 0.01), "loses no accuracy against FP32 on OpenVINO: 0.000 points"),
        (Measurement(-0.4, "points", 400, -0.6, -0.2), "gains 0.40 points [0.20, 0.60] of accuracy"),
        (Measurement(0.4, "points", 400), "loses 0.400 points (no interval) of accuracy"),
        (None, "with accuracy 94.9 % [94.1, 95.7]"),
    ],
)
def test_what_was_paid(facts, drop, expected):
    assert expected in verdict.headline(with_drop(facts, drop)).sentence


def test_a_ratio_is_turned_round_where_only_its_inverse_is_known(facts):
    slow, fast = facts.artefact("onnxruntime-fp32"), facts.artefact("openvino-int8")
    forward = verdict.ratio(facts, slow, fast)
    backward = verdict.ratio(facts, fast, slow)
    assert backward.value == pytest.approx(1 / forward.value)
    assert backward.low == pytest.approx(1 / forward.high)
    assert backward.low < backward.value < backward.high


def test_a_ratio_without_pairs_has_no_interval_and_says_so(folders):
    alone = gather_bundle(folders["seal"] / "bundle")
    ratio = verdict.ratio(alone, verdict.baseline(alone), verdict.chosen(alone))
    assert ratio.low is None
    assert ratio.method == "ratio of medians, not paired"
    assert "(no interval)" in verdict.headline(alone).sentence


def test_a_single_artefact_is_described_by_itself(facts):
    said = verdict.headline(replace(facts, artefacts=(facts.artefact("openvino-int8"),)))
    assert said.sentence.startswith("INT8 on OpenVINO answers in 3.07 ms [3.06, 3.08] and loses 0.32 points")


def test_nothing_timed_is_said(facts):
    artefacts = tuple(replace(one, runs={}) for one in facts.artefacts)
    assert "no latency was measured" in verdict.headline(replace(facts, artefacts=artefacts)).sentence


def test_a_disturbed_measurement_is_said_beside_the_verdict(facts):
    environment = {**facts.bench.environment, "disturbances": ["other processes took 86 % of the CPU"]}
    disturbed = replace(facts, bench=changed(facts.bench, environment=environment))
    expected = "Latency was disturbed: other processes took 86 % of the CPU."
    assert verdict.headline(disturbed).details[-1] == expected
    alone = replace(disturbed, bench=None, provenance={"benched_on": environment})
    assert verdict.headline(alone).details[-1] == expected
