"""`edgecnn devices list|show`: what is known of the boards that a bundle can be made for."""

import json

import click


@click.group()
def command() -> None:
    """Look up boards: engines, precisions, power modes, peaks, versions."""


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
