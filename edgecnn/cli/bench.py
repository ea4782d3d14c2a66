"""`edgecnn bench`: how fast a bundle is on this machine, measured so that the figures can be believed."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.core.errors import InputError

if TYPE_CHECKING:
    from edgecnn.bench.session import Outcome, ScenarioName, Subject
    from edgecnn.core.evidence import BenchResult


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--with", "other", type=click.Path(path_type=Path), help="Measure BUNDLE2 interleaved, for compare.")
@click.option("--artefact", "artefacts", multiple=True, metavar="NAME", help="Only this artefact; may be repeated.")
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    type=click.Choice(["single", "camera"]),
    help="Back to back, or at a camera's fixed rate; both unless given.",
)
@click.option("--seconds", type=float, default=10.0, show_default=True, help="Seconds a scenario and artefact.")
@click.option("--fps", type=float, default=30.0, show_default=True, help="Frame rate of the camera scenario.")
@click.option("--threads", type=int, default=0, help="Engine threads; 0 leaves it to the engine.")
@click.option("--cold-starts", type=int, default=6, show_default=True, help="Fresh processes an artefact; 0 for none.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the order within rounds.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Result file FILE.json, its samples beside it as FILE.npz; with --with a folder that gets a.json and b.json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; with --with it has the keys a and b.")
def command(
    bundle: Path,
    other: Path | None,
    artefacts: tuple[str, ...],
    scenarios: "tuple[ScenarioName, ...]",
    *,
    seconds: float,
    fps: float,
    threads: int,
    cold_starts: int,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure latency and memory of BUNDLE's artefacts, interleaved with each other and with a null engine."""
    import msgspec

    from edgecnn.bench.session import Plan, measure
    from edgecnn.bench.table import print_result

    _check_out(out, several=other is not None)
    chosen = {"": _subjects(bundle, artefacts, "")}
    if other is not None:
        chosen = {"a": _subjects(bundle, artefacts, "a/"), "b": _subjects(other, artefacts, "b/")}
    plan = Plan(
        seconds=seconds,
        camera_fps=fps,
        threads=threads,
        scenarios=scenarios or ("single", "camera"),
        cold_starts=cold_starts,
        seed=seed,
    )
    outcome = measure([subject for subjects in chosen.values() for subject in subjects], plan)
    found = {side: _result(outcome, subjects, side, out) for side, subjects in chosen.items()}
    if as_json:
        value = found[""] if other is None else found
        click.echo(msgspec.json.format(msgspec.json.encode(value), indent=1).decode())
        return
    for side, measured in found.items():
        print_result(measured, title=f"{side}: {bundle if side == 'a' else other}" if side else str(bundle))
    if out is None:
        click.echo("raw samples were not kept; give --out to keep them", err=True)


def _check_out(out: Path | None, *, several: bool) -> None:
    if out is None:
        return
    if several and out.is_file():
        raise InputError(f"--out {out}: is a file; with --with give a folder")
    if not several and (out.suffix != ".json" or out.is_dir()):
        raise InputError(f"--out {out}: give a file name that ends in .json")


def _result(outcome: "Outcome", subjects: list["Subject"], side: str, out: Path | None) -> "BenchResult":
    from edgecnn.bench import result

    labels = [subject.label for subject in subjects]
    if out is None:
        return result.result_of(outcome, labels)
    file = out / f"{side}.json" if side else out
    return result.write(outcome, labels, file, file.with_suffix(".npz"))


def _subjects(path: Path, artefacts: tuple[str, ...], prefix: str) -> list["Subject"]:
    from edgecnn.bench.session import Subject
    from edgecnn.core.bundle import open_bundle
    from edgecnn.core.registry import known

    bundle = open_bundle(path)
    engines = known("engine")
    # One for a GPU or NPU says so; whether that is here shows only when it is asked for by name.
    others = [a.name for a in bundle.manifest.artefacts if a.engine not in engines or "device" in a.options]
    if others and not artefacts:
        click.echo(f"left out, for engines or units of other machines: {', '.join(others)}", err=True)
    names = artefacts or tuple(one.name for one in bundle.manifest.artefacts if one.name not in others)
    return [Subject(prefix + bundle.artefact(name).name, path, name) for name in names]
