"""What a MODEL on the command line is: an ONNX file, a recipe, a run or checkpoint of ours, or a function's name."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from edgecnn.cli.options import parse_overrides
from edgecnn.core.errors import InputError

if TYPE_CHECKING:
    from edgecnn.core.recipe import Recipe

SUFFIX, WEIGHTS, RUN = ".onnx", ".safetensors", "run.json"


class GivenRecipe(NamedTuple):
    """A recipe and the folder that its results stand in."""

    recipe: "Recipe"
    workdir: Path


def kind_of(model: str) -> Literal["onnx", "module", "recipe"]:
    """Return what `model` is, by its looks."""
    if Path(model).suffix.lower() == SUFFIX:
        return "onnx"
    return "module" if ":" in model and not Path(model).exists() else "recipe"


def given_recipe(model: str, overrides: tuple[str, ...], workdir: Path | None) -> GivenRecipe:
    """Return the recipe that `model` names: a recipe, the work directory of a run, or weights that one left.

    Raises:
        InputError: there is no such recipe or run, or the weights belong to none.
    """
    from edgecnn.core import shared
    from edgecnn.core.recipe import load_recipe

    path = Path(model)
    if path.suffix.lower() == WEIGHTS or path.is_dir():
        return _of_run(path, overrides, workdir)
    recipe = load_recipe(shared.find("recipes", model), parse_overrides(overrides))
    return GivenRecipe(recipe, workdir or Path("runs") / recipe.name)


def _of_run(path: Path, overrides: tuple[str, ...], workdir: Path | None) -> GivenRecipe:
    import msgspec

    from edgecnn.core.recipe import Recipe

    folders = [path, *path.resolve().parents] if path.is_dir() else [*path.resolve().parents]
    found = next((folder for folder in folders if (folder / RUN).is_file()), None)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if found is None:
        raise InputError(f"{path}: belongs to no run of edgecnn (no {RUN} above it), so its recipe is not known")
    if overrides:
        raise InputError(f"--set goes with a recipe; {path} brings the one that it was made by")
    try:
        recipe = msgspec.convert(msgspec.json.decode((found / RUN).read_bytes())["recipe"], Recipe)
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise InputError(f"{found / RUN}: no record of a run ({error})") from error
    return GivenRecipe(recipe, workdir or found)
