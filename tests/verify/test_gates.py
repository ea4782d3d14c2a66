"""Gates say which artefact missed what by how much."""

import pytest

from edgecnn.core.bundle import Parity
from edgecnn.core.evidence import Verdict
from edgecnn.core.measure import Measurement
from edgecnn.core.recipe import VerifySection
from edgecnn.verify.gates import gates


def verdict(name, accuracy, drop=None, error=0.0):
    lost = None if drop is None else Measurement(drop, "points", 100, drop - 0.2, drop + 0.2)
    return Verdict(name, Parity({"loc": error}, 0.1, 8), {"accuracy": Measurement(accuracy, "", 100)}, drop=lost)


def test_all_that_holds_passes_and_every_artefact_is_asked():
    found = gates([verdict("a-fp32", 0.95), verdict("a-int8", 0.945, 0.5)], "a-fp32", "accuracy", VerifySection())
    assert all(gate.passed for gate in found)
    assert {(g.artefact, g.rule) for g in found} == {
        ("a-fp32", "parity"),
        ("a-fp32", "min_figure"),
        ("a-int8", "parity"),
        ("a-int8", "max_drop"),
    }


@pytest.mark.parametrize(
    ("verdicts", "settings", "sentence"),
    [
        (
            [verdict("r", 0.95), verdict("x", 0.9, 1.75)],
            VerifySection(max_drop=1.0),
            "x: loses 1.75 [1.55, 1.95] points of accuracy (max_drop 1, missed by 0.75)",
        ),
        (
            [verdict("r", 0.90)],
            VerifySection(min_figure=0.93),
            "r: accuracy 0.9000 (min_figure 0.93, missed by 0.0300)",
        ),
        (
            [verdict("r", 0.95, error=0.3)],
            VerifySection(),
            "r: output 'loc' is 0.3 off the golden one (tolerance 0.1, missed by 0.2)",
        ),
    ],
)
def test_a_missed_gate_names_artefact_bound_and_distance(verdicts, settings, sentence):
    failed = [gate for gate in gates(verdicts, "r", "accuracy", settings) if not gate.passed]
    assert [gate.text for gate in failed] == [sentence]
