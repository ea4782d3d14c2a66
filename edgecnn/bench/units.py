"""Graphics and neural units of this machine as the kernel lists them, and what keeps each from being used."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgecnn.bench.probes import ROOT

INTEL, NVIDIA = "0x8086", "0x10de"
GRAPHICS, ACCELERATOR = "0x03", "0x12"
"""PCI classes: display controllers and processing accelerators, by their first byte."""
TRTEXEC = "usr/src/tensorrt/bin/trtexec"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit.

    Attributes:
        kind: what it is.
        name: how it is called here.
        missing: what keeps it from being used; empty if nothing is known to.
        get: the command that brings what is missing.
    """

    kind: Literal["nvidia gpu", "intel gpu", "intel npu", "jetson"]
    name: str
    missing: str = ""
    get: str = ""


def units(root: Path = ROOT) -> list[Unit]:
    """Return the units below `root`, a Jetson's GPU first, then those on PCI by address."""
    found = [_jetson(root)] if (root / "etc/nv_tegra_release").is_file() else []
    for folder in sorted((root / "sys/bus/pci/devices").glob("*")):
        vendor, kind = _read(folder / "vendor"), _read(folder / "class")
        if vendor == NVIDIA and kind.startswith(GRAPHICS):
            found.append(_nvidia(root, folder.name))
        elif vendor == INTEL and kind.startswith(GRAPHICS):
            found.append(
                _node(root, "intel gpu", folder.name, "dev/dri", "renderD*", "sudo apt install intel-opencl-icd")
            )
        elif vendor == INTEL and kind.startswith(ACCELERATOR):
            packages = "intel-driver-compiler-npu intel-fw-npu intel-level-zero-npu"
            get = f"install the packages {packages} of github.com/intel/linux-npu-driver"
            found.append(_node(root, "intel npu", folder.name, "dev/accel", "accel*", get))
    return found


def _jetson(root: Path) -> Unit:
    release = _read(root / "etc/nv_tegra_release").partition("\n")[0].lstrip("# ")
    if not (root / TRTEXEC).is_file():
        return Unit(
            "jetson", release, "TensorRT is not installed", "sudo apt update && sudo apt install nvidia-jetpack"
        )
    return Unit("jetson", release)


def _nvidia(root: Path, address: str) -> Unit:
    if not (root / "proc/driver/nvidia/version").is_file():
        return Unit("nvidia gpu", address, "its driver is not loaded", "sudo ubuntu-drivers install, then restart")
    return Unit("nvidia gpu", address)


def _node(root: Path, kind: Literal["intel gpu", "intel npu"], address: str, folder: str, nodes: str, get: str) -> Unit:
    """Return a unit that programs reach through a file below /dev."""
    found = sorted((root / folder).glob(nodes))
    if not found:
        return Unit(kind, address, f"no /{folder}/{nodes}: its driver is not loaded", get)
    if not any(os.access(node, os.R_OK | os.W_OK) for node in found):
        return Unit(
            kind, address, f"no right to open {found[0].name}", 'sudo usermod -aG render "$USER", then log in anew'
        )
    return Unit(kind, address)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
