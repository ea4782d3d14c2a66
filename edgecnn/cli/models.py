"""`edgecnn models list`: the architectures that recipes can name."""

import json

import click


@click.group()
def command() -> None:
    """Look up network architectures."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_models(*, as_json: bool) -> None:
    """List every architecture, the tasks it serves and where its code lives."""
    from edgecnn.core import registry

    rows = [
        {
            "name": name,
            "tasks": [task for task, parts in registry.TASKS.items() if parts.model == name],
            "code": entry.path,
            "extra": entry.extra,
        }
        for name, entry in registry.known("model").items()
    ]
    if as_json:
        click.echo(json.dumps({"models": rows}, indent=1))
        return
    for row in rows:
        tasks = ", ".join(row["tasks"]) or "no task of edgecnn's own"
        extra = f" (pip install 'edgecnn[{row['extra']}]')" if row["extra"] else ""
        click.echo(f"{row['name']}: {tasks}; {row['code']}{extra}")
