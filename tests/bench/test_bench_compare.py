import numpy as np
import pytest

from edgecnn.bench import samples
from edgecnn.bench.compare import compare, judge
from edgecnn.core import evidence
from edgecnn.core.errors import InputError
from edgecnn.core.evidence import BenchResult, BenchRun
from edgecnn.core.measure import Measurement

ROUNDS = 20


def simulated(rng, factor=1.0, machine=None, *, rounds=ROUNDS, per_round=40):
    """Latencies with a tail, and the rounds they belong to; `machine` is how slow the machine is in each round."""
    machine = np.ones(rounds) if machine is None else machine
    number = np.repeat(np.arange(rounds), per_round)
    latency = 5e6 * factor * machine[number] * (1 + 0.03 * rng.exponential(1, len(number)))
    return {
        "latency_ns": latency.astype(np.int64),
        "round": number,
        "lead_in": np.zeros(len(number), np.int64),
    }


def write(path, columns, *, session="s", artefact="openvino-int8", steady_from=0, notes=()):
    run = BenchRun(
        artefact, "openvino", "int8", "single_stream", {}, f"{artefact}/single_stream", steady_from, notes=notes
    )
    evidence.write(path, BenchResult(session, {"disturbances": []}, (run,)))
    samples.write(path.with_suffix(".npz"), {run.samples: columns})
    return path


def judged(tmp_path, rng, factor, number):
    # Rounds of a machine that wanders by 10 %, the same for both, and by 2 % more for each of them.
    shared = 1 + 0.1 * np.cumsum(rng.normal(size=ROUNDS)) / np.sqrt(ROUNDS)
    one, two = (shared * (1 + 0.02 * rng.normal(size=ROUNDS)) for _ in range(2))
    a = write(tmp_path / f"a{number}.json", simulated(rng, 1.0, one))
    b = write(tmp_path / f"b{number}.json", simulated(rng, factor, two))
    return compare(a, b)


def test_a_against_itself_is_rarely_called_different(tmp_path):
    rng = np.random.default_rng(11)
    verdicts = [judged(tmp_path, rng, 1.0, number).verdict for number in range(200)]
    assert sum(verdict in ("faster", "slower") for verdict in verdicts) <= 10


def test_five_percent_slower_is_found(tmp_path):
    rng = np.random.default_rng(12)
    found = [judged(tmp_path, rng, 1.05, number) for number in range(100)]
    assert sum(comparison.regressed for comparison in found) >= 95
    assert np.median([comparison.ratio.value for comparison in found]) == pytest.approx(1.05, abs=0.01)


def test_five_percent_faster_is_found_and_is_no_regression(tmp_path):
    found = judged(tmp_path, np.random.default_rng(3), 1 / 1.05, 0)
    assert found.verdict == "faster"
    assert not found.regressed


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.011, 1.2, "slower"),
        (0.7, 0.989, "faster"),
        (0.995, 1.005, "no difference"),
        (0.99, 1.01, "no difference"),
        (1.005, 1.2, "undecided"),
        (0.9, 1.1, "undecided"),
        (None, None, "undecided"),
    ],
)
def test_the_interval_decides(low, high, verdict):
    assert judge(Measurement(1.0, "x", 20, low, high)) == verdict


def test_separate_sessions_are_refused_unless_asked_for_and_then_labelled(tmp_path):
    rng = np.random.default_rng(0)
    a = write(tmp_path / "a.json", simulated(rng), session="monday")
    b = write(tmp_path / "b.json", simulated(rng, 1.2), session="tuesday")
    with pytest.raises(InputError, match="not measured interleaved"):
        compare(a, b)
    found = compare(a, b, allow_separate=True)
    assert found.verdict == "slower"
    assert not found.interleaved
    assert "NOT interleaved" in found.text
    assert "NOT interleaved" in found.ratio.method


def test_warm_up_lead_in_and_what_comes_before_the_steady_state_do_not_count(tmp_path):
    rng = np.random.default_rng(0)
    columns = simulated(rng)
    a = write(tmp_path / "a.json", columns)
    slow = {name: column.copy() for name, column in columns.items()}
    slow["latency_ns"][:40] *= 9
    slow["latency_ns"][80:83] *= 9
    slow["lead_in"][80:83] = 1
    slow["latency_ns"][120:160] *= 9
    slow["round"][120:160] = -1
    found = compare(a, write(tmp_path / "b.json", slow, steady_from=40))
    assert found.verdict == "no difference"
    assert found.ratio.n == ROUNDS - 2


def test_notes_and_disturbances_come_along(tmp_path):
    rng = np.random.default_rng(0)
    a = write(tmp_path / "a.json", simulated(rng))
    b = write(tmp_path / "b.json", simulated(rng), notes=("no steady state",))
    assert compare(a, b).notes == ("B: no steady state",)


def test_several_artefacts_need_a_name(tmp_path):
    rng = np.random.default_rng(0)
    a = write(tmp_path / "a.json", simulated(rng))
    result = evidence.read(a, BenchResult)
    evidence.write(a, BenchResult(result.session, {}, (*result.runs, *result.runs)))
    with pytest.raises(InputError, match="several artefacts; say which with --artefact-a"):
        compare(a, a)
    b = write(tmp_path / "b.json", simulated(rng))
    with pytest.raises(InputError, match="no tflite under single_stream"):
        compare(b, b, artefact_a="tflite")
    with pytest.raises(InputError, match="no artefact under camera"):
        compare(b, b, scenario="camera")


def test_files_that_are_none_are_one_line(tmp_path):
    rng = np.random.default_rng(0)
    good = write(tmp_path / "a.json", simulated(rng))
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    with pytest.raises(InputError, match=r"bad\.json: not a result file"):
        compare(good, bad)
    with pytest.raises(InputError, match=r"no\.json: not a result file"):
        compare(good, tmp_path / "no.json")
    for content in (b"", b"PK\x03\x04nonsense", b"text"):
        good.with_suffix(".npz").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.npz: can't read the samples"):
            compare(good, good)
    good.with_suffix(".npz").unlink()
    with pytest.raises(InputError, match=r"samples\.npz: can't read the samples"):
        compare(good, good)


def test_samples_of_another_run_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    good = write(tmp_path / "a.json", simulated(rng))
    samples.write(good.with_suffix(".npz"), {"other/single_stream": simulated(rng)})
    with pytest.raises(InputError, match="holds no samples named 'openvino-int8/single_stream'"):
        compare(good, good)
    samples.write(good.with_suffix(".npz"), {"openvino-int8/single_stream": {"latency_ns": np.ones(3, np.int64)}})
    with pytest.raises(InputError, match="its samples lack lead_in, round"):
        compare(good, good)
