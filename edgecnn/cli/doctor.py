"""`edgecnn doctor`: what this machine is, which engines really run here, and what to install for the rest."""

import json
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

# Extras of edgecnn and what they bring; a test holds this to pyproject.toml.
EXTRAS = {
    "onnxruntime": ("onnxruntime",),
    "openvino": ("openvino",),
    "litert": ("ai-edge-litert",),
    "ncnn": ("ncnn",),
    "executorch": ("executorch", "torch"),
    "coreml": ("coremltools", "onnx"),
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
AT_ONCE = 4
VNNI_FLAGS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, as_json: bool) -> None:
    """Examine this machine: CPU and INT8 instructions, graphics and neural units, engines, packages.

    Every engine that edgecnn or an installed plugin knows runs a small network, in a process of its own. What is
    missing comes with the command that brings it.
    """
    findings = examine()
    if as_json:
        click.echo(json.dumps(findings, indent=1))
        return
    for line in _lines(findings):
        click.echo(line)


def examine() -> dict[str, Any]:
    """Return what is found: machine, units, base packages, extras, engines."""
    import msgspec

    from edgecnn.bench.environment import fingerprint
    from edgecnn.bench.units import units

    machine = fingerprint()
    flags = machine["cpu_flags"]
    return {
        "machine": machine,
        "int8_instructions": None if flags is None else [flag for flag in VNNI_FLAGS if flag in flags],
        "base": {package: _version(package) for package in BASE},
        "extras": {extra: {package: _version(package) for package in bring} for extra, bring in EXTRAS.items()},
        "units": [msgspec.to_builtins(unit) for unit in units()],
        "engines": _engines(),
    }


def _engines() -> dict[str, dict[str, Any]]:
    """Try every engine, and every unit that a target of ours runs an engine on, a few at a time."""
    from concurrent.futures import ThreadPoolExecutor

    from edgecnn.core.registry import TARGETS, known

    tried: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in known("engine") if name != "null"}
    for row in TARGETS.values():
        if "device" in row.options:
            tried[f"{row.engine} on {row.options['device']}"] = (row.engine, dict(row.options))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(tried, pool.map(lambda one: _try(*one), tried.values()), strict=True))


def _try(name: str, options: dict[str, Any]) -> dict[str, Any]:
    from edgecnn.core.errors import EdgecnnError
    from edgecnn.runtime.selftest import LONGEST_S, try_engine_apart

    try:
        return {"runs": True, "version": try_engine_apart(name, LONGEST_S, options)}
    except EdgecnnError as error:
        return {"runs": False, "why": str(error).removeprefix(f"{name}: ")}


def _lines(findings: dict[str, Any]) -> list[str]:
    machine, int8 = findings["machine"], findings["int8_instructions"]
    lines = [
        f"machine   {machine['board'] or machine['cpu']}, {machine['cores']} cores, {machine['memory_mib']} MiB",
        f"system    {machine['system']} {machine['kernel']}, {machine['architecture']}, Python {machine['python']}",
        f"INT8      {_int8_text(int8)}",
    ]
    for unit in findings["units"]:
        told = f"{unit['missing']}: {unit['get']}" if unit["missing"] else "there"
        lines.append(f"unit      {unit['kind']} ({unit['name']}): {told}")
    for name, engine in sorted(findings["engines"].items(), key=lambda item: not item[1]["runs"]):
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
