"""`edgecnn bundle inspect|verify|pack|unpack`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecnn.core.errors import InputError

if TYPE_CHECKING:
    from edgecnn.core.bundle import Artefact, Bundle
    from edgecnn.core.tensor import FrameSpec

_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
_bundle_argument = click.argument("bundle", type=click.Path(path_type=Path))
_force_option = click.option("--force", is_flag=True, help="Replace TARGET if it is there.")


@click.group()
def command() -> None:
    """Look into a bundle, check it, or turn a folder into one .edge file and back."""


@command.command()
@_bundle_argument
@_json_option
def inspect(*, bundle: Path, as_json: bool) -> None:
    """Show what BUNDLE holds and what is known of it."""
    import msgspec

    from edgecnn.core.bundle import open_bundle

    opened = open_bundle(bundle)
    click.echo(msgspec.json.encode(opened.manifest).decode() if as_json else _described(opened))


@command.command()
@_bundle_argument
@_json_option
def verify(*, bundle: Path, as_json: bool) -> None:
    """Check every digest of BUNDLE. It is opened only if nothing was added, removed or changed; nothing is run."""
    from edgecnn.core.bundle import open_bundle

    files = open_bundle(bundle).manifest.files
    size_bytes = sum(record.size_bytes for record in files.values())
    if as_json:
        click.echo(json.dumps({"bundle": str(bundle), "files": len(files), "size_bytes": size_bytes}))
    else:
        click.echo(f"{bundle}: {len(files)} files, {_size(size_bytes)}, every digest matches")


@command.command()
@_bundle_argument
@click.argument("target", type=click.Path(path_type=Path))
@_force_option
def pack(*, bundle: Path, target: Path, force: bool) -> None:
    """Write the folder BUNDLE as one file TARGET (.edge). Equal bundles give equal files."""
    from edgecnn.core.bundle import pack as pack_bundle

    _free(target, force=force)
    click.echo(pack_bundle(bundle, target))


@command.command()
@_bundle_argument
@click.argument("target", type=click.Path(path_type=Path))
@_force_option
def unpack(*, bundle: Path, target: Path, force: bool) -> None:
    """Write the .edge file BUNDLE out as the folder TARGET."""
    from edgecnn.core.bundle import MANIFEST
    from edgecnn.core.bundle import unpack as unpack_bundle

    _free(target, force=force)
    if target.exists() and not (target / MANIFEST).is_file():
        raise InputError(f"{target}: this is no bundle; only a bundle is replaced")
    click.echo(unpack_bundle(bundle, target))


def _free(target: Path, *, force: bool) -> None:
    if target.exists() and not force:
        raise InputError(f"{target}: is there already; choose another name or give --force")


def _described(bundle: "Bundle") -> str:
    manifest = bundle.manifest
    lines = [
        f"{manifest.name}  (task {manifest.task}, schema {manifest.schema})",
        f"  frame     {_frame(manifest.frame, manifest.artefacts)}",
        f"  decode    {manifest.decode.codec}",
    ]
    for artefact in manifest.artefacts:
        lines += _artefact_lines(bundle, artefact)
    lines += [f"  {key:<9} {json.dumps(value)}" for key, value in manifest.provenance.items()]
    return "\n".join(lines)


def _frame(frame: "FrameSpec | None", artefacts: "tuple[Artefact, ...]") -> str:
    if frame is not None:
        return f"{frame.width}x{frame.height} {frame.color}, {frame.resize}"
    inputs = artefacts[0].inputs if artefacts else ()
    return "none; it takes " + "; ".join(f"'{spec.name}' {spec.describe()}" for spec in inputs)


def _artefact_lines(bundle: "Bundle", artefact: "Artefact") -> list[str]:
    size_bytes = sum(bundle.manifest.files[name].size_bytes for name in artefact.files)
    gate = {True: "passed its gates", False: "FAILED A GATE", None: "not judged"}[artefact.passed]
    lines = [f"  artefact  {artefact.name}: {artefact.engine}, {artefact.precision}, {_size(size_bytes)}, {gate}"]
    for title, table in (("accuracy", artefact.accuracy), ("latency", artefact.latency)):
        lines += [f"    {title:<9} {name:<22} {measurement.text()}" for name, measurement in table.items()]
    if artefact.parity is not None:
        worst = max(artefact.parity.rel_error.values(), default=0.0)
        lines.append(f"    parity    worst relative error {worst:.2e} (bound {artefact.parity.tolerance:g})")
    return lines + [f"    note      {note}" for note in artefact.notes]


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.1f} kB"
