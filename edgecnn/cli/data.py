"""`edgecnn data make|check`."""

import json
from pathlib import Path

import click


@click.group()
def command() -> None:
    """Make road scenes, or check a data set."""


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--frames", type=click.IntRange(1), default=100, show_default=True, help="How many scenes.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same scenes.")
@click.option("--size", default="640x360", show_default=True, metavar="WxH", help="Frame size in pixels.")
@click.option("--condition", "conditions", multiple=True, help="Only scenes of this condition, e.g. night. Repeatable.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes that draw.")
def make(*, folder: Path, frames: int, seed: int, size: str, conditions: tuple[str, ...], workers: int) -> None:
    """Write synthetic road scenes with exact lane labels to FOLDER, in TuSimple's layout."""
    from edgecnn.core.errors import InputError
    from edgecnn.core.progress import bar
    from edgecnn.data.road import RoadScenes
    from edgecnn.data.road.write import write_tusimple

    width, cross, height = size.partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise InputError(f"--size {size}: write WIDTHxHEIGHT, for instance 640x360")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: not empty; name a new folder")
    with bar("road scenes", frames) as shown:
        scenes = RoadScenes(seed, int(width), int(height), conditions)
        write_tusimple(folder, scenes, frames, workers=workers, progress=lambda done, _: shown.reach(done))
    click.echo(f"{frames} frames  {folder}")


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--format", "form", default="tusimple", show_default=True, help="The data set's format.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def check(*, folder: Path, form: str, as_json: bool) -> None:
    """Read every label and open every picture of the data set in FOLDER; a fault is named with file and line."""
    from edgecnn.core.errors import DataError
    from edgecnn.data.formats.format import read
    from edgecnn.data.sample import read_image

    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    frames = lines = 0
    for sample in read(form, folder):
        read_image(sample.image)
        frames += 1
        lines += len(sample.truth.lines)
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "format": form, "frames": frames, "lines": lines}))
    else:
        click.echo(f"{folder}: {form}, {frames} frames, {lines} lane lines, nothing wrong")
