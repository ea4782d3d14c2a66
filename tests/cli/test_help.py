"""Every command answers --help, and at once. The bound of 200 ms CPU time is a requirement, not a wish."""

import os
import resource
import subprocess
import sys

import click
import pytest

from edgecnn.cli import main

LIMIT_S = 0.2
# What merely starting Python and importing click may cost before this machine is called too slow to judge by.
SLOW_START_S = 0.1
HEAVY = (
    "torch",
    "onnx",
    "onnx_ir",
    "onnxruntime",
    "openvino",
    "cv2",
    "numpy",
    "msgspec",
    "rich",
    "matplotlib",
    "jinja2",
)


def walk(command, path=()):
    """Yield the words of every command and group below `command`, itself included."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), (*path, name))


COMMANDS = list(walk(main.command))


def cpu_seconds(*arguments):
    """Return the CPU time (user and system) that a fresh Python takes for `arguments`, the best of three."""
    best = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=dict(os.environ))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return best


@pytest.fixture(scope="session")
def start_s():
    return cpu_seconds("-c", "import click")


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "edgecnn")
def test_help_says_something_and_asks_for_nothing(words, capsys):
    assert main.run([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: {' '.join(['edgecnn', *words])}")
    assert all(len(line) <= 100 for line in out.splitlines())


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "edgecnn")
def test_every_command_and_option_explains_itself(words):
    command, context = main.command, click.Context(main.command)
    for word in words:
        command = command.get_command(context, word)
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{' '.join(words)} {parameter.opts[0]} has no help"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from edgecnn.cli import main; "
        f"[main.run([*w, '--help']) for w in {COMMANDS!r}]; "
        f"sys.exit(', '.join(sorted(set({HEAVY!r}) & set(sys.modules))) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# One command a process is what a user feels; all of them take the same road through the lazy group.
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "edgecnn")
def test_help_takes_less_than_200_ms_of_cpu(words, start_s):
    took = cpu_seconds("-c", "from edgecnn.cli.main import main; main()", *words, "--help")
    if start_s > SLOW_START_S:
        # A machine on which Python with click alone needs half the bound: judge what edgecnn adds to it.
        took = took - start_s + SLOW_START_S
    assert took < LIMIT_S, f"{took * 1000:.0f} ms; Python with click alone takes {start_s * 1000:.0f} ms"


def test_an_unknown_command_is_one_line_and_code_2(capsys):
    assert main.run(["benhc"]) == 2
    assert "benhc" in capsys.readouterr().err
