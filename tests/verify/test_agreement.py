"""Agreement of artefacts with FP32: judged in their own engines, or simulated and said so."""

import numpy as np
import pytest

from edgecnn.core.bundle import GOLDEN, open_bundle, write_bundle
from edgecnn.core.errors import EngineError
from edgecnn.core.npz import npz_bytes
from edgecnn.metrics.agreement import AGREEMENT, AgreementJudge
from edgecnn.runtime import load
from edgecnn.verify import agreement
from edgecnn.verify.agreement import RUNS, Floor, verify_agreement

NAMES = ("onnxruntime-fp32", "openvino-int8", "elsewhere-int8")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, lane_bundle_of, lane_artefact):
    """Three artefacts of one network, one of which is for an engine that edgecnn has not got."""
    folder = tmp_path_factory.mktemp("agreement")
    engines = ("onnxruntime", "openvino", "tensorrt")
    precisions = ("fp32", "int8", "int8")
    rows = [lane_artefact(n, e, precision=p) for n, e, p in zip(NAMES, engines, precisions, strict=True)]
    opened = open_bundle(lane_bundle_of(folder / "bare", *rows))
    frames = np.random.default_rng(0).integers(0, 256, (6, 16, 32, 3), dtype=np.uint8)
    with load(folder / "bare", artefact=NAMES[0]) as model:
        answers = [model.infer({"image": frame[None]}) for frame in frames]
    golden = {"input:image": frames} | {f"output:{k}": np.concatenate([a[k] for a in answers]) for k in answers[0]}
    files = {name: opened.read(name) for name in opened.manifest.files} | {GOLDEN: npz_bytes(golden)}
    path = write_bundle(folder / "whole", opened.manifest, files)
    return path, [{"image": f[None]} for f in frames], answers, opened.read(rows[2].files[0])


def test_every_artefact_gets_a_verdict_and_a_gate(bundle):
    path, feeds, answers, source = bundle
    judge = AgreementJudge(answers)
    found = verify_agreement(path, feeds, judge, Floor(98.0), 1, {NAMES[2]: source})
    assert found.passed
    assert found.reference == NAMES[0]
    assert [verdict.artefact for verdict in found.verdicts] == list(NAMES)
    figures = [verdict.figures[AGREEMENT] for verdict in found.verdicts]
    assert [figure.how for figure in figures] == ["measured", "measured", "emulated"]
    assert figures[0].value == 100
    assert found.verdicts[0].drop is None
    assert found.verdicts[1].drop.value == pytest.approx(100 - figures[1].value)
    assert {"agreement:loc", "agreement:exist"} <= set(found.verdicts[0].figures)
    assert all(verdict.parity.passed for verdict in found.verdicts)


def test_a_gate_says_which_output_missed_by_how_much(bundle):
    path, feeds, answers, source = bundle
    rng = np.random.default_rng(1)
    other = [{**a, "exist": a["exist"] + rng.normal(0, 9, a["exist"].shape).astype(np.float32)} for a in answers]
    found = verify_agreement(path, feeds, AgreementJudge(other), Floor(98.0), 1, {NAMES[2]: source})
    assert not found.passed
    for gate in found.gates:
        assert gate.rule == "min_agreement"
        assert "output 'exist', " in gate.text
        assert "missed by" in gate.text
    assert [gate.limit for gate in found.gates] == [95, 98, 98]


@pytest.mark.parametrize("broken", NAMES[:2])
def test_an_engine_that_fails_is_a_gate_and_the_others_go_on(bundle, monkeypatch, broken):
    opened = agreement.artefact_model

    def failing(bundle, artefact, threads, simulated):
        if artefact.name == broken:
            raise EngineError("out of registers")
        return opened(bundle, artefact, threads, simulated)

    monkeypatch.setattr(agreement, "artefact_model", failing)
    path, feeds, answers, source = bundle
    found = verify_agreement(path, feeds, AgreementJudge(answers), Floor(98.0), 1, {NAMES[2]: source})
    assert [verdict.artefact for verdict in found.verdicts] == [name for name in NAMES if name != broken]
    assert [(gate.artefact, gate.rule, gate.text) for gate in found.gates if not gate.passed] == [
        (broken, RUNS, f"{broken}: out of registers")
    ]
