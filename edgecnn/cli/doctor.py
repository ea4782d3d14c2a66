"""`edgecnn doctor`: what this machine is, which engines really run here, and what to install for the rest."""

import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

# Extras of edgecnn and what they bring; a test holds this to pyproject.toml.
EXTRAS = {
    "onnxruntime": ("onnxruntime",),
    "openvino": ("openvino",),
    "tensorrt": ("cuda-bindings",),
    "train": ("torch", "safetensors"),
    "export": ("torch", "onnx", "onnx-ir", "onnxscript"),
    "quantize": ("onnx", "onnx-ir", "onnxruntime"),
    "compress": ("torch", "safetensors", "onnx", "onnx-ir", "onnxscript", "onnxruntime", "torch-pruning"),
    "report": ("jinja2", "matplotlib"),
    "formats": ("ijson", "scipy"),
    "eval": ("pycocotools",),
}
BASE = ("numpy", "msgspec", "click", "opencv-python-headless", "pyyaml", "rich")
VNNI_FLAGS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool) -> None:
    """Examine this machine: CPU, INT8 instructions, engines (each runs a small network), missing packages."""
    findings = examine()
    if as_json:
        click.echo(json.dumps(findings, indent=1))
        return
    for line in _lines(findings):
        click.echo(line)


def examine() -> dict[str, Any]:
    """Return what is found: machine, base packages, extras, engines."""
    from edgecnn.bench.environment import fingerprint
    from edgecnn.core.registry import known

    machine = fingerprint()
    flags = machine["cpu_flags"]
    return {
        "machine": machine,
        "int8_instructions": None if flags is None else [flag for flag in VNNI_FLAGS if flag in flags],
        "base": {package: _version(package) for package in BASE},
        "extras": {extra: {package: _version(package) for package in bring} for extra, bring in EXTRAS.items()},
        "engines": {name: _try(name) for name in known("engine") if name != "null"},
    }


def _try(name: str) -> dict[str, Any]:
    from edgecnn.core.errors import EdgecnnError
    from edgecnn.runtime.selftest import try_engine

    try:
        return {"runs": True, "version": try_engine(name)}
    except EdgecnnError as error:
        return {"runs": False, "why": str(error)}
    except (ImportError, OSError) as error:
        # A wheel whose shared libraries this system lacks.
        return {"runs": False, "why": f"does not load: {' '.join(str(error).split())}"}


def _lines(findings: dict[str, Any]) -> list[str]:
    machine, int8 = findings["machine"], findings["int8_instructions"]
    lines = [
        f"machine   {machine['board'] or machine['cpu']}, {machine['cores']} cores, {machine['memory_mib']} MiB",
        f"system    {machine['system']} {machine['kernel']}, {machine['architecture']}, Python {machine['python']}",
        f"INT8      {_int8_text(int8)}",
    ]
    for name, engine in findings["engines"].items():
        lines.append(f"engine    {name}: " + (f"{engine['version']}, runs" if engine["runs"] else engine["why"]))
    absent = [package for package, found in findings["base"].items() if found is None]
    if absent:
        lines.append(f"base      missing: {', '.join(absent)}: pip install edgecnn")
    lines += [f"extra     {extra}: {_extra_text(extra, packages)}" for extra, packages in findings["extras"].items()]
    return lines


def _int8_text(flags: list[str] | None) -> str:
    if flags is None:
        return "unknown"
    return ", ".join(flags) or "no such instructions: INT8 will gain little over FP32"


def _extra_text(extra: str, packages: dict[str, str | None]) -> str:
    absent = [package for package, found in packages.items() if found is None]
    if absent:
        return f"missing {', '.join(absent)}: pip install 'edgecnn[{extra}]'"
    return ", ".join(f"{package} {found}" for package, found in packages.items())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
