"""How a compression went, step by step, for the eye: figure, points lost, size, time."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgecnn.core.compress_evidence import CompressedStep, CompressResult, NetworkFigures


def show_way(result: "CompressResult") -> None:
    """Print a line for the uncompressed network and one for each step."""
    if result.original is None:
        click.echo("no step of compression was asked for")
        return
    click.echo(_line("uncompressed", result.figure, result.original))
    for step in result.steps:
        click.echo(_line(step.name, result.figure, step.result))
        for text in _told(step):
            click.echo(f"  {text}")
    for note in result.notes:
        click.echo(f"note: {note}")


def _line(name: str, figure: str, found: "NetworkFigures") -> str:
    parts = [f"{name:<13} {figure} {found.figure.text()}"]
    if found.drop is not None:
        parts.append(f"{found.drop.value:+.2f} points lost")
    parts.append(f"{found.parameters / 1e6:.2f} M parameters")
    for target, latency in found.latency.items():
        gain = found.speedup.get(target)
        parts.append(f"{latency.value:.2f} ms in {target}" + ("" if gain is None else f", {gain.text(2)}"))
    return "; ".join(parts)


def _told(step: "CompressedStep") -> list[str]:
    told = [step.verdict] if step.verdict else []
    if step.widths:
        before, after = (sum(pair[place] for pair in step.widths.values()) for place in (0, 1))
        told.append(f"{len(step.widths)} groups of channels: {before} channels before, {after} after")
    if step.refused:
        name, why = next(iter(step.refused.items()))
        more = f", and {len(step.refused) - 1} more" if len(step.refused) > 1 else ""
        told.append(f"left alone: {name} ({why}){more}")
    return [*told, *step.notes]
