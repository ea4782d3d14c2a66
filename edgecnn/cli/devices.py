"""`edgecnn devices list|show|check`: what is known of the boards that a bundle can be made for, and what they run."""

import json
from pathlib import Path
from typing import Any

import click


@click.group()
def command() -> None:
    """Look up boards: engines, precisions, power modes, peaks, versions; and what a board can run."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_devices(*, as_json: bool) -> None:
    """List every device that edgecnn knows."""
    from edgecnn.core import shared
    from edgecnn.core.device import load_device
    from edgecnn.core.device_text import engines

    devices = [load_device(name) for name in shared.names("devices")]
    if as_json:
        rows = [{"name": d.name, "title": d.title, "kind": d.kind, "engines": engines(d)} for d in devices]
        click.echo(json.dumps({"devices": rows}, indent=1))
        return
    width = max(len(d.name) for d in devices)
    for device in devices:
        click.echo(f"{device.name:<{width}}  {device.title}: {', '.join(engines(device))}")


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every source.")
def show(name: str, *, as_json: bool) -> None:
    """Show the device NAME (or a device file): each figure with how far it can be trusted."""
    import msgspec

    from edgecnn.core.device import load_device
    from edgecnn.core.device_text import describe

    device = load_device(name)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(device), indent=1))
        return
    for line in describe(device):
        click.echo(line)
    click.echo(f"Where each figure comes from: edgecnn devices show {name} --json")


@command.command("check")
@click.argument("subject", metavar="MODEL.onnx|BUNDLE", type=click.Path(path_type=Path))
@click.option("--device", "name", required=True, metavar="NAME", help="The board, or a device file.")
@click.option("--shape", "shapes", multiple=True, metavar="NAME=1,3,H,W", help="Fix an input's shape. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(subject: Path, name: str, shapes: tuple[str, ...], *, as_json: bool) -> None:
    """Say which engines of a board run a model or a bundle, why others don't, and the nearest thing that works.

    Exit code 1: none of them does.
    """
    from edgecnn.core.device import load_device
    from edgecnn.core.errors import GateError

    device = load_device(name)
    answers = _answers(subject, device, shapes)
    if as_json:
        rows = [
            {
                "subject": one.subject,
                "engine": one.engine,
                "unit": one.unit,
                "runs": one.runs,
                "rules": [
                    {"rule": rule.rule, "why": rule.why, "instead": rule.instead, "blocks": rule.blocks}
                    for rule in one.refusals
                ],
            }
            for one in answers
        ]
        click.echo(json.dumps({"device": device.name, "answers": rows}, indent=1))
    else:
        _show(answers)
    if not any(one.runs for one in answers):
        raise GateError(f"{device.name} runs nothing of {subject}")


def _show(answers: Any) -> None:
    remarks: dict[str, None] = {}
    for one in answers:
        click.echo(f"{'runs' if one.runs else 'NO  '}  {one.subject} in {one.engine} on {one.unit or 'any unit'}")
        for rule in one.refusals:
            if rule.blocks:
                click.echo(f"      {rule.text()}")
            else:
                remarks[f"{one.engine} on {one.unit}: {rule.text()}"] = None
    for remark in remarks:
        click.echo(f"note: {remark}")


def _answers(subject: Path, device: Any, shapes: tuple[str, ...]) -> Any:
    from edgecnn.cli.given_model import kind_of
    from edgecnn.cli.quantize import one_line_of, shape_of
    from edgecnn.core.bundle import open_bundle
    from edgecnn.core.registry import Entry, import_entry

    where, what = "edgecnn.quantize_onnx.board_check", "edgecnn devices check"
    if kind_of(str(subject)) != "onnx":
        return import_entry(Entry(f"{where}:check_bundle", "quantize"), what)(open_bundle(subject), device)
    check_model = import_entry(Entry(f"{where}:check_model", "quantize"), what)
    with one_line_of(subject):
        return check_model(subject, device, dict(shape_of(text) for text in shapes))
