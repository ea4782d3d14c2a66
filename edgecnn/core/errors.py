"""The one exception tree. A message is one line that says what to do; `exit_code` is what the command line returns."""

from collections.abc import Iterable


class EdgecnnError(Exception):
    """Base of everything edgecnn raises on purpose."""

    exit_code = 2


class InputError(EdgecnnError):
    """A path, an argument or a value the user gave can't be used."""


class RecipeError(InputError):
    """A recipe or device file does not say what it must."""


class DataError(InputError):
    """A data set, an image or a video can't be read as what it claims to be."""


class BundleError(InputError):
    """A bundle is damaged, tampered with, unsafe or of an unknown schema."""


class TensorError(InputError):
    """An array has the wrong name, shape, dtype or layout, or holds NaN."""


class MissingExtraError(InputError):
    """A package that this work needs is not installed; the message gives the command that installs it."""


class EngineError(EdgecnnError):
    """An inference engine refused a model or an input."""


class UnfitError(EngineError):
    """An artefact is for another version of its engine, or another device, than is here; another artefact may fit."""


class StageError(EdgecnnError):
    """A stage did not leave what it promised."""


class GateError(EdgecnnError):
    """The work ran and a gate failed: an artefact missed its accuracy or its parity."""

    exit_code = 1


def line_of(error: BaseException, most: int = 300) -> str:
    """Return an error's message as one line of at most `most` characters; its kind where it has none."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def listed(names: Iterable[str], most: int = 8) -> str:
    """Return the first names, and how many more there are."""
    every = list(names)
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} more" if more > 0 else "")
