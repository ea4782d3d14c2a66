"""Options of `edgecnn prune` and `edgecnn compress`, and the steps they stand for."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgecnn.core.errors import InputError

if TYPE_CHECKING:
    from edgecnn.core.recipe import CompressStep

GOALS = ("speedup", "latency_ms", "max_drop")

F = TypeVar("F", bound=Callable[..., Any])

_MODULE = (
    click.option("--trust-code", is_flag=True, help="Run the code of package.module:function."),
    click.option("--shape", "shapes", multiple=True, metavar="NAME=1,3,H,W", help="An input's shape. Repeatable."),
    click.option("--scale", type=float, help="Pixels are divided by this first.  [default: 255]"),
    click.option("--mean", metavar="M[,M,M]", help="Then this is taken off, in the order of --color.  [default: 0]"),
    click.option("--std", metavar="S[,S,S]", help="Then divided by this.  [default: 1]"),
    click.option("--color", type=click.Choice(["rgb", "bgr"]), help="The model's colour order.  [default: rgb]"),
    click.option(
        "--calib", metavar="SOURCE", help="Pictures' folder, video, or FILE.npz with an array for each input."
    ),
    click.option("--frames", type=click.IntRange(1), default=500, show_default=True, help="Most frames of --calib."),
    click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Engine threads."),
)


def module_options(function: F) -> F:
    """Add what a torch module of one's own needs, but for `--out`."""
    for decorate in reversed(_MODULE):
        function = decorate(function)
    return function


def steps_of(given: dict[str, Any], target: str = "") -> "tuple[CompressStep, ...]":
    """Return the steps that the options of `edgecnn prune` ask for.

    Raises:
        InputError: they say no goal, or two.
    """
    import msgspec

    from edgecnn.core.compression import FinetuneStep, PruneStep
    from edgecnn.core.recipe import CompressStep
    from edgecnn.core.registry import choose, known

    choose("criterion", known("criterion"), given["criterion"])
    asked = {name: given[name] for name in GOALS if given[name] is not None}
    if not asked or {"speedup", "latency_ms"} <= set(asked):
        raise InputError("say how far to prune: --speedup or --latency-ms, with --max-drop or by itself")
    epochs = given["epochs"]
    taken = {name: given[name] for name in ("criterion", "steps", "keep", "unhelpful", "batches", "times", "precision")}
    recover = FinetuneStep(epochs=epochs) if epochs else None
    try:
        # Made from plain values, so that bounds are checked as in a recipe.
        prune = msgspec.convert({**taken, **asked, "target": target}, PruneStep)
    except msgspec.ValidationError as error:
        what, _, key = str(error).partition(" - at `$.")
        raise InputError(f"--{key.strip('`').replace('_', '-')}: {what}") from error
    steps = [CompressStep(prune=msgspec.structs.replace(prune, recover=recover))]
    if given["finetune"]:
        steps.append(CompressStep(finetune=FinetuneStep(epochs=given["finetune"])))
    return tuple(steps)


def shape_of(text: str) -> tuple[str, tuple[int, ...]]:
    """Return name and sizes of `NAME=1,3,H,W`.

    Raises:
        InputError: the text is not of that form.
    """
    name, equals, sizes = text.rpartition("=")
    parts = [part.strip() for part in sizes.split(",")]
    if not equals or not name or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise InputError(f"--shape {text}: write NAME=1,3,HEIGHT,WIDTH")
    return name, tuple(map(int, parts))


def new_folder_at(path: Path | None, *, replace: bool, what: str) -> Path:
    """Return `path` as a place where `what` may be written.

    Raises:
        InputError: none is given, or something is there already: a pruned network that is not to be replaced, or
            anything else.
    """
    from edgecnn.core.compress_evidence import COMPRESSION

    if path is None:
        raise InputError(f"{what} needs --out FOLDER")
    if path.exists() and not (path / COMPRESSION).is_file():
        raise InputError(f"{path}: is there and holds no pruned network; only such a folder is replaced")
    if path.exists() and not replace:
        raise InputError(f"{path}: is there already; choose another name or give --force")
    return path if path.name else path.resolve()
