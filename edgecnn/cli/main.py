"""`edgecnn`: a lazy group. A command's file is imported when that command is asked for, and not before."""

import importlib
import signal
import sys
from typing import Any

import click

from edgecnn import __version__
from edgecnn.core.errors import EdgecnnError

COMMANDS = {
    "run": ("run", "Run a recipe: from data to a proven bundle and its report."),
    "train": ("stages", "Run a recipe up to training."),
    "prune": ("prune", "Prune a network until it is as fast as it shall be, measured on its target."),
    "compress": ("compress", "Prune and quantize a model as far as it may lose, into a proven bundle."),
    "export": ("stages", "Run a recipe up to the exported ONNX and its golden vectors."),
    "quantize": ("quantize", "Quantize an ONNX file into a proven bundle, or run a recipe up to INT8."),
    "compile": ("compile", "Compile an ONNX file into a bundle, or run a recipe up to its engines' files."),
    "verify": ("verify", "Judge a bundle: golden outputs, and accuracy on labelled frames."),
    "eval": ("eval", "Judge a bundle or predictions by every metric, with tables, curves and gates."),
    "bench": ("bench", "Measure a bundle's latency on this machine."),
    "compare": ("compare", "Judge two interleaved benchmark files: faster, slower or no difference."),
    "infer": ("infer", "Run a bundle on an image, folder, video or camera."),
    "report": ("report", "Write the report of a run or of a bundle again."),
    "bundle": ("bundle", "Inspect, verify, pack or unpack a bundle."),
    "data": ("data", "Make road scenes, check a data set, or convert it."),
    "recipe": ("recipe", "Check a recipe, or print the schema of all."),
    "models": ("models", "List the architectures."),
    "devices": ("devices", "List the known boards, or show one."),
    "doctor": ("doctor", "Say what this machine has and what is missing."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line helps without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order of the work, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command's file and return its command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"edgecnn.cli.{COMMANDS[cmd_name][0]}")
        found = module.commands[cmd_name] if hasattr(module, "commands") else module.command
        assert isinstance(found, click.Command)  # noqa: S101 - our own files
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgecnn")
def command() -> None:
    """From a CNN to a small, fast, proven perception bundle on an edge device."""


def main() -> None:
    """Run the command line; an error becomes one line on stderr and its exit code."""
    # A supervisor's stop ends a run as Ctrl-C does: tidily, and with the processes it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:
        click.echo("edgecnn: interrupted; run the same command again to go on where it stopped", err=True)
        sys.exit(130)


def run(arguments: list[str], **extra: Any) -> int:
    """Run one command line and return its exit code: 0, 1 (a gate failed) or 2 (bad input)."""
    try:
        command.main(arguments, prog_name="edgecnn", standalone_mode=False, **extra)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        # What click makes of Ctrl-C within a command.
        click.echo("edgecnn: interrupted", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except EdgecnnError as error:
        click.echo(f"edgecnn: {' '.join(str(error).split())}", err=True)
        return error.exit_code
    return 0
