"""The machine and the software a run was taken on, as plain values for `bench.json`. What is absent is None."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2

from edgecnn.bench.probes import ROOT

PACKAGES = ("edgecnn", "numpy", "opencv-python-headless", "onnxruntime", "openvino")
CPU_FLAGS = (
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
    "asimd",
    "asimddp",
    "asimdhp",
    "i8mm",
    "sve",
)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def fingerprint(root: Path = ROOT) -> dict[str, Any]:
    """Return CPU, cores, memory, kernel, versions and thread settings. No name that tells who or where you are."""
    info = _read(root / "proc/cpuinfo") or ""
    flags = set((_field(info, "flags") or _field(info, "Features") or "").split())
    return {
        "cpu": _field(info, "model name") or _field(info, "Model") or platform.processor() or None,
        "board": (_read(root / "proc/device-tree/model") or "").rstrip("\0") or None,
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "affinity": sorted(os.sched_getaffinity(0)),
        "cpu_flags": [flag for flag in CPU_FLAGS if flag in flags] if flags else None,
        "virtual_machine": "hypervisor" in flags if flags else None,
        "memory_mib": _memory_mib(root),
        "system": platform.system(),
        "kernel": platform.release(),
        "jetson": (_read(root / "etc/nv_tegra_release") or "").partition("\n")[0] or None,
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
        "opencv_threads": cv2.getNumThreads(),
        "thread_variables": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
    }


def machine_name(environment: dict[str, Any]) -> str:
    """Return board or CPU with its core count, for a figure's `on`."""
    cpu = environment["board"] or environment["cpu"] or environment["architecture"]
    return f"{cpu}, {environment['cores']} cores"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _field(text: str, name: str) -> str | None:
    for line in text.splitlines():
        key, sign, value = line.partition(":")
        if sign and key.strip() == name:
            return value.strip()
    return None


def _memory_mib(root: Path) -> int | None:
    words = (_field(_read(root / "proc/meminfo") or "", "MemTotal") or "").split()
    return int(words[0]) // 1024 if words else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
