"""`edgecnn train|export RECIPE`: a recipe up to one of its stages."""

from pathlib import Path

import click

from edgecnn.cli.options import recipe_options, run_recipe


def _up_to(stage: str, what: str) -> click.Command:
    @click.command(stage, help=f"Run RECIPE up to {what}; finished stages are not done again.")
    @recipe_options
    def command(*, recipe: str, overrides: tuple[str, ...], workdir: Path | None, as_json: bool) -> None:
        run_recipe(recipe, overrides, workdir, as_json=as_json, until=stage)

    return command


commands = {
    "train": _up_to("train", "the trained weights"),
    "export": _up_to("export", "the exported ONNX model and its golden vectors"),
}
