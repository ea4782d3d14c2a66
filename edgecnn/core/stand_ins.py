"""ONNX files that stand in, from stage to stage, for artefacts whose engines are not on this machine."""

import shutil
from pathlib import Path

FOLDER = "stand-ins"


def keep(out: Path, artefact: str, source: Path) -> None:
    """Keep below a stage's result what `artefact` was compiled from."""
    (out / FOLDER).mkdir(exist_ok=True)
    shutil.copyfile(source, out / FOLDER / f"{artefact}.onnx")


def kept(result: Path) -> dict[str, Path]:
    """Return the files that stand in, by artefact."""
    return {path.stem: path for path in sorted((result / FOLDER).glob("*.onnx"))}
