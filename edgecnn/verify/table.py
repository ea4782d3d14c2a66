"""The parity table of a bundle: what each artefact gives in its engine on this machine, against the golden outputs."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from edgecnn.core.bundle import Artefact, Parity, open_bundle
from edgecnn.core.errors import EngineError, line_of
from edgecnn.core.evidence import Verdict
from edgecnn.core.measure import Measurement
from edgecnn.core.recipe import VerifySection
from edgecnn.core.registry import TASKS
from edgecnn.metrics.agreement import AGREEMENT, AgreementJudge
from edgecnn.runtime import load
from edgecnn.runtime.here import why_engine_not_here
from edgecnn.verify.parity import answers, expected, greatest_errors, parity_of
from edgecnn.verify.verify import tolerance_of


@dataclass(frozen=True, slots=True)
class Row:
    """One artefact.

    Attributes:
        artefact, engine, precision: as in the manifest.
        parity: relative errors of the outputs and their bound; None where it did not run.
        max_error: greatest absolute error of any value of any output.
        agreement: percent in which it decides on the golden frames what the FP32 original decides.
        figure: the task's figure; None where there is none.
        drop: points of it that are lost against FP32.
        source: whether figure and drop were found now, on labels, or are `stored` in the bundle.
        absent: why its engine does not run on this machine; empty if it does.
        failed: what its engine said where it is here and gave up; empty if it did not.
        departs: the first layer whose result departs, where that was searched for.
    """

    artefact: str
    engine: str
    precision: str
    parity: Parity | None = None
    max_error: float | None = None
    agreement: float | None = None
    figure: Measurement | None = None
    drop: Measurement | None = None
    source: str = ""
    absent: str = ""
    failed: str = ""
    departs: str = ""

    @property
    def worst(self) -> tuple[str, float]:
        """Return the output that is furthest off, and how far in relation to its size."""
        errors = {} if self.parity is None else self.parity.rel_error
        return max(errors.items(), key=lambda item: item[1], default=("", 0.0))

    @property
    def passed(self) -> bool | None:
        """Whether it keeps its bound; None where it could not run here."""
        if self.absent:
            return None
        return self.parity is not None and self.parity.passed


def parity_table(bundle: Path, settings: VerifySection, threads: int) -> list[Row]:
    """Return a row an artefact, in the manifest's order; one whose engine is not here or gives up says so.

    Raises:
        BundleError: the bundle is damaged, or its golden vectors do not fit its artefacts.
    """
    manifest = open_bundle(bundle).manifest
    return [_row(bundle, artefact, manifest.task, settings, threads) for artefact in manifest.artefacts]


def _row(bundle: Path, artefact: Artefact, task: str, settings: VerifySection, threads: int) -> Row:
    row = _stored(Row(artefact.name, artefact.engine, artefact.precision), artefact, task)
    if absent := why_engine_not_here(artefact.engine, artefact.options):
        return replace(row, absent=absent)
    tolerance = tolerance_of(artefact, settings)
    try:
        with closing(load(bundle, artefact=artefact.name, threads=threads)) as model:
            found, wanted = answers(model), expected(model)
    except EngineError as error:
        return replace(row, failed=line_of(error))
    judge = AgreementJudge(wanted)
    return replace(
        row,
        parity=parity_of(found, wanted, tolerance),
        max_error=max(greatest_errors(found, wanted).values(), default=0.0),
        agreement=judge.totals(judge.records(found))[AGREEMENT],
    )


def _stored(row: Row, artefact: Artefact, task: str) -> Row:
    """Add what the bundle itself says of the artefact's accuracy; agreement has a column of its own."""
    figure = TASKS[task].figure if task in TASKS else AGREEMENT
    if figure == AGREEMENT or figure not in artefact.accuracy:
        return row
    return replace(row, figure=artefact.accuracy[figure], drop=artefact.accuracy.get("drop"), source="stored")


def none_runs(rows: list[Row]) -> str:
    """Return, where no artefact of the table runs here, what to do about it; empty where one does."""
    if any(not row.absent for row in rows):
        return ""
    return f"nothing in it can run here: {'; '.join(dict.fromkeys(row.absent for row in rows))}"


def with_verdicts(rows: list[Row], verdicts: Sequence[Verdict], figure: str) -> list[Row]:
    """Return the rows with what was found on labels in the place of what the bundle says."""
    found = {verdict.artefact: verdict for verdict in verdicts}
    return [
        replace(row, figure=own.figures.get(figure), drop=own.drop, source="measured")
        if (own := found.get(row.artefact)) is not None
        else row
        for row in rows
    ]
