"""`edgecnn data make|check|convert`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.core.registry import FORMATS

if TYPE_CHECKING:
    from edgecnn.data.check import Report

_FORMATS = ", ".join(sorted(FORMATS))
_LABELS_HELP = "Only this label file, relative to the folder. Repeatable; default: all of them."


@click.group()
def command() -> None:
    """Make road scenes, check a data set, or convert it to another format."""


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--frames", type=click.IntRange(1), default=100, show_default=True, help="How many scenes.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same scenes.")
@click.option("--size", default="640x360", show_default=True, metavar="WxH", help="Frame size in pixels.")
@click.option("--condition", "conditions", multiple=True, help="Only scenes of this condition, e.g. night. Repeatable.")
@click.option("--people", is_flag=True, help="Streets with people, labelled with lanes and objects.")
@click.option("--format", "form", metavar="NAME", help=f"Of {_FORMATS}.  [default: tusimple; with --people scenes]")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes that draw.")
def make(
    *,
    folder: Path,
    frames: int,
    seed: int,
    size: str,
    conditions: tuple[str, ...],
    people: bool,
    form: str | None,
    workers: int,
) -> None:
    """Write synthetic road scenes with exact labels to FOLDER.

    Lanes alone, or with --people lanes, people and vehicles; a format gets what it can hold of them. FOLDER appears
    when all of it is written.
    """
    from edgecnn.core.errors import InputError
    from edgecnn.core.progress import bar
    from edgecnn.data.formats.format import format_of
    from edgecnn.data.make import make as make_scenes
    from edgecnn.data.road import RoadScenes

    width, cross, height = size.partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise InputError(f"--size {size}: write WIDTHxHEIGHT, for instance 640x360")
    target = format_of(form or ("scenes" if people else "tusimple"))
    scenes = RoadScenes(seed, int(width), int(height), conditions, people)
    with bar("road scenes", frames) as shown:
        make_scenes(folder, scenes, frames, target, workers=workers, reach=shown.reach)
    click.echo(f"{frames} frames  {target.name}  {folder}")


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--format", "form", metavar="NAME", help=f"Of {_FORMATS}.  [default: the one that recognises it]")
@click.option("--labels", multiple=True, metavar="FILE", help=_LABELS_HELP)
@click.option("--draw", type=click.Path(path_type=Path), metavar="FOLDER", help="Draw labels on pictures there.")
@click.option("--draw-frames", type=click.IntRange(1), default=24, show_default=True, help="How many pictures to draw.")
@click.option("--list", "most", type=click.IntRange(0), default=20, show_default=True, help="Faults listed a kind.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def check(
    *,
    folder: Path,
    form: str | None,
    labels: tuple[str, ...],
    draw: Path | None,
    draw_frames: int,
    most: int,
    as_json: bool,
) -> None:
    """Read every label and open every picture of the data set in FOLDER.

    Counts what it holds and lists what is wrong with file and line, and goes on behind it: labels and pictures that
    can't be read, pictures of another size than their label says, boxes without area or outside, lanes outside, too
    short or with rows that turn back, ids and pictures that stand twice. Exit code 1 when something is wrong.
    """
    from edgecnn.core.errors import GateError
    from edgecnn.core.progress import bar
    from edgecnn.data.check import check as check_set
    from edgecnn.data.check import count
    from edgecnn.data.recognise import recognise

    read_by = recognise(folder, form)
    with bar(read_by.name, count(read_by, folder, labels)) as shown:
        keep = draw_frames if draw is not None else 0
        report = check_set(folder, read_by.name, labels, most=most, keep=keep, reach=shown.reach)
    drawn = _draw(report, draw) if draw is not None else 0
    if as_json:
        click.echo(json.dumps(report.to_json()))
    else:
        _show(report)
        if draw is not None:
            click.echo(f"  drawn       {drawn} pictures in {draw}")
    if report.wrong:
        raise GateError(f"{folder}: {report.wrong} things are wrong in this data set")


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="NAME", help=f"The format to write, of {_FORMATS}.")
@click.option("--from", "form", metavar="NAME", help="The format it is in.  [default: the one that recognises it]")
@click.option("--labels", multiple=True, metavar="FILE", help=_LABELS_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def convert(*, folder: Path, out: Path, to: str, form: str | None, labels: tuple[str, ...], as_json: bool) -> None:
    """Write the data set in FOLDER to the new folder OUT in another format.

    Pictures are not encoded again where the format takes their type; on one disk they are linked, so that a change to
    the file of one set would change the other's. What the format can't hold is found by reading OUT and told in one
    line. OUT appears when all of it is written.
    """
    from edgecnn.core.progress import bar
    from edgecnn.data.check import count
    from edgecnn.data.convert import convert as convert_set
    from edgecnn.data.formats.format import format_of
    from edgecnn.data.recognise import recognise

    target, source = format_of(to), recognise(folder, form)
    with bar(f"{source.name} to {to}", count(source, folder, labels)) as shown:
        done = convert_set(folder, out, target, source.name, labels, reach=shown.reach)
    if as_json:
        told = {"from": done.source, "to": done.target, "frames": done.frames, "lost": list(done.lost)}
        click.echo(json.dumps({"folder": str(out), **told}))
        return
    click.echo(f"{done.frames} frames  {done.source} to {done.target}  {out}")
    click.echo(f"not in {done.target}: {'; '.join(done.lost)}" if done.lost else "nothing lost")


def _draw(report: "Report", folder: Path) -> int:
    """Write the sampled pictures with their labels drawn to `folder`; return how many could be read."""
    from edgecnn.cli.drawn_labels import draw_label
    from edgecnn.core.errors import DataError

    drawn = 0
    for number, sample in enumerate(report.shown):
        try:
            draw_label(sample, folder / f"{number:04d}_{sample.image.stem}.jpg")
            drawn += 1
        except DataError as error:
            # It is in the report already; the others are still worth a look.
            click.echo(f"not drawn: {error}", err=True)
    return drawn


def _show(report: "Report") -> None:
    sizes = ", ".join(f"{size} ({count})" for size, count in report.sizes.most_common(4))
    more = f", {len(report.sizes) - 4} other sizes" if len(report.sizes) > 4 else ""
    click.echo(f"{report.root}: {report.form}, {report.frames} frames, {report.empty} of them empty")
    click.echo(f"  sizes       {sizes}{more}")
    if report.lanes is not None:
        click.echo(f"  lane lines  {report.lanes}")
    if report.objects is not None:
        classes = ", ".join(f"{name} {count}" for name, count in report.objects.most_common())
        click.echo(f"  objects     {classes or 'none'}; {report.ignored} to be ignored")
    if report.tags:
        click.echo(f"  tags        {', '.join(f'{tag} {count}' for tag, count in report.tags.most_common(24))}")
    for kind, count in report.counts.items():
        click.echo(f"  WRONG       {kind}: {count}")
        for one in report.listed[kind]:
            click.echo(f"    {one.where}  {one.text}")
        if count > len(report.listed[kind]):
            click.echo(f"    and {count - len(report.listed[kind])} more")
    if not report.wrong:
        click.echo("  nothing wrong")
