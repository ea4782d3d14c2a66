"""`edgecnn infer BUNDLE SOURCE`."""

import json
from pathlib import Path

import click


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("source")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("infer"), show_default=True, help="Where results go."
)
@click.option("--engine", help="Take the bundle's best artefact for this engine.")
@click.option("--artefact", help="Take this artefact of the bundle.")
@click.option("--threads", type=click.IntRange(1), help="Engine threads; left to the engine unless given.")
@click.option("--frames", type=click.IntRange(1), help="Stop after this many frames.")
@click.option("--no-overlay", is_flag=True, help="Write no pictures or video, only results.jsonl.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def command(
    *,
    bundle: Path,
    source: str,
    out: Path,
    engine: str | None,
    artefact: str | None,
    threads: int | None,
    frames: int | None,
    no_overlay: bool,
    as_json: bool,
) -> None:
    """Run BUNDLE on SOURCE: a picture, a folder of pictures, a video file, or a camera (camera:0).

    Writes results.jsonl, one line a frame, and the frames with the result drawn on them: pictures for pictures,
    overlay.mp4 for a video or camera. A camera runs until --frames or Ctrl-C; frames it gives while the network is
    busy are dropped and counted.
    """
    from edgecnn.cli.infer_run import run
    from edgecnn.data.frames import open_source
    from edgecnn.runtime.model import load

    frames_of = open_source(source)
    with load(bundle, engine=engine, artefact=artefact, threads=threads) as model:
        summary = run(model, frames_of, out, limit=frames, overlay=not no_overlay)
    if as_json:
        click.echo(json.dumps(summary))
        return
    times = ", ".join(f"{part} {value:.2f}" for part, value in summary["median_ms"].items())
    click.echo(f"{summary['frames']} frames with {summary['artefact']}; median ms a frame: {times}")
    for note in summary["notes"]:
        click.echo(f"note: {note}", err=True)
    for name in summary["files"]:
        click.echo(f"{out / name}")
