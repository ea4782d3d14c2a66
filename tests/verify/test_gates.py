"""Gates say which artefact missed what by how much."""

import pytest
from msgspec.structs import replace

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


def test_losses_are_counted_from_the_uncompressed_network_where_there_is_one():
    """The network in FP32 was compressed already: it is gated too, and by what all steps lost."""
    total = Measurement(1.4, "points", 100, 1.2, 1.6)
    found = [replace(verdict("r", 0.94), total_drop=total), replace(verdict("x", 0.94, 0.1), total_drop=total)]
    failed = [gate for gate in gates(found, "r", "accuracy", VerifySection(max_drop=1.0)) if not gate.passed]
    assert [gate.artefact for gate in failed] == ["r", "x"]
    assert failed[1].text == (
        "x: loses 1.40 [1.20, 1.60] points of accuracy against the uncompressed network (max_drop 1, missed by 0.40)"
    )
