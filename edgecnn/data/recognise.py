"""Which format a folder is in."""

from pathlib import Path

from edgecnn.core.errors import DataError, MissingExtraError, line_of
from edgecnn.core.registry import known, nearest
from edgecnn.data.formats.format import Format, format_of


def recognise(root: Path, form: str | None = None) -> Format:
    """Return the format of the data set in `root`: the one called `form`, else the only one that recognises it.

    Raises:
        DataError: there is no such folder, no format or more than one recognises it.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the folder of a data set")
    if form is not None:
        if form not in known("format"):
            raise DataError(f"unknown format '{form}'{nearest(form, known('format'))}")
        return format_of(form)
    formats, told = _formats()
    found = [one for one in formats if one.recognise(root)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(one.name for one in found)
        raise DataError(f"{root}: could be any of {names}; say which with --format")
    told += [_looked_for(one, root) for one in formats]
    raise DataError(f"{root}: no format recognises it. {'; '.join(sorted(told))}")


def _formats() -> tuple[list[Format], list[str]]:
    """Return the formats that this installation reads, and of the others what they need."""
    formats, told = [], []
    for name in known("format"):
        try:
            formats.append(format_of(name))
        except MissingExtraError as error:
            told.append(f"{name}: not looked for, {line_of(error)}")
    return formats, told


def _looked_for(form: Format, root: Path) -> str:
    """Return what a format says it did not find."""
    try:
        form.label_files(root)
    except DataError as error:
        return f"{form.name}: {line_of(error).removeprefix(f'{root}: ')}"
    return f"{form.name}: the label files found are of another form"
