"""Where a report's evidence lies: a work directory with its `run.json`, or a bundle."""

from pathlib import Path

import msgspec

from edgecnn.core.errors import InputError
from edgecnn.report.facts import ReportFacts, gather, gather_bundle

RUN = "run.json"
STAGES = ("train", "compress", "qat", "verify", "bench", "seal")


class RunRecord(msgspec.Struct, frozen=True):
    """What is needed of `run.json`: where each stage's result stands, relative to the work directory."""

    stages: dict[str, str]


def facts_of(source: Path) -> ReportFacts:
    """Return the facts of a work directory or of a bundle folder or `.edge` file.

    Raises:
        InputError: neither of them, or a stage's result that `run.json` names is gone.
    """
    if (source / RUN).is_file():
        return gather(_stage_folders(source))
    if not source.exists():
        raise InputError(f"{source}: no such file or folder; give a work directory of `edgecnn run` or a bundle")
    return gather_bundle(source)


def default_out(source: Path) -> Path:
    """Return where the report goes when nobody says: into a work directory, beside a bundle."""
    return (
        source / "report" if (source / RUN).is_file() else source.resolve().with_name(f"{source.resolve().stem}-report")
    )


def _stage_folders(workdir: Path) -> dict[str, Path]:
    try:
        record = msgspec.json.decode((workdir / RUN).read_bytes(), type=RunRecord)
    except msgspec.DecodeError as error:
        raise InputError(f"{workdir / RUN}: not the record of a run ({error}); run `edgecnn run` again") from error
    folders = {name: (workdir / record.stages[name]).resolve() for name in STAGES if name in record.stages}
    for name, folder in folders.items():
        if not folder.is_dir():
            raise InputError(f"{folder}: the result of stage '{name}' is gone; run `edgecnn run` again")
    return folders
