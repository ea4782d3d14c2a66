"""Verification of a finished bundle on the machine at hand, as `edgecnn verify` asks for it."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from edgecnn.core.bundle import open_bundle
from edgecnn.core.errors import InputError, MissingExtraError
from edgecnn.core.evidence import Gate, Verdict
from edgecnn.core.gate_rule import check
from edgecnn.core.recipe import VerifySection
from edgecnn.core.registry import TASKS, resolve
from edgecnn.data.recognise import recognise
from edgecnn.data.split import read_for
from edgecnn.runtime.codec import codec_of
from edgecnn.verify.agreement import RUNS
from edgecnn.verify.gates import gates
from edgecnn.verify.table import Row, none_runs, parity_table, with_verdicts
from edgecnn.verify.verify import verify


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found: a row an artefact, what had to hold, and the name of the task's figure (empty: it has none)."""

    rows: tuple[Row, ...]
    gates: tuple[Gate, ...]
    figure: str


def verify_bundle(
    bundle: Path, data: Path | None, form: str | None, max_drop: float, threads: int, rules: tuple[str, ...] = ()
) -> Verified:
    """Return the parity table and the gates of what runs here; accuracy gates only where `data` is given.

    Without `form` the data set's format is the one that recognises it. `rules` are gates on figures and slices
    (`core/gate_rule.py`), judged on `data`.

    Raises:
        MissingExtraError: `data` is given and no artefact runs here to be judged on it.
        DataError: the data set is missing or broken.
    """
    settings = VerifySection(max_drop=max_drop, gates=rules)
    manifest = open_bundle(bundle).manifest
    if data is not None and not TASKS[manifest.task].metric:
        raise InputError(f"{bundle}: what its outputs mean is unknown, so labels can't judge them; leave out --data")
    if rules and data is None:
        raise InputError(f"gate '{rules[0]}' is judged on labels; give them with --data")
    for rule in rules:
        metric = TASKS[manifest.task].metric
        check(rule, {metric: resolve("metric", metric).higher_is_better})
    rows = parity_table(bundle, settings, threads)
    figure = TASKS[manifest.task].figure if TASKS[manifest.task].metric else ""
    failed = tuple(_failed(row) for row in rows if row.failed)
    ran = [row for row in rows if row.parity is not None]
    if data is None:
        found = gates([Verdict(row.artefact, row.parity, {}) for row in ran if row.parity], "", "", settings)
        return Verified(tuple(rows), (*failed, *found), figure)
    if not ran:
        raise MissingExtraError(f"{bundle}: {none_runs(rows) or 'no artefact of it could be run'}")
    samples = list(read_for(codec_of(manifest), recognise(data, form).name, data))
    with TemporaryDirectory() as folder:
        judged = verify(bundle, [row.artefact for row in ran], samples, settings, threads, Path(folder))
    return Verified(tuple(with_verdicts(rows, judged.verdicts, figure)), (*failed, *judged.gates), figure)


def _failed(row: Row) -> Gate:
    return Gate(row.artefact, RUNS, 1, 0, passed=False, text=f"{row.artefact}: {row.failed}")
