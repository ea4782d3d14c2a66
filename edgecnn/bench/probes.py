"""Probes: clocks, governor, heat, throttling, power and other load, as this machine shows them. Absent is None.

Sources: the Linux kernel's cpufreq, thermal, powercap and proc documentation; Raspberry Pi's `vcgencmd
get_throttled`; NVIDIA's `nvpmodel -q`.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

COMMAND_TIMEOUT_S = 5.0
ROOT = Path("/")
Command = Callable[[Sequence[str]], str | None]


class Snapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The machine at one moment.

    `busy_s` is CPU time of all processes and `own_s` of this one, both since some fixed moment; `stolen_s` is time
    a hypervisor gave to others. `throttle_counts` are the kernel's counters of thermal throttling by CPU;
    `pi_throttled` the bits of `get_throttled`; `energy_uj` RAPL's counter by package.
    """

    time_s: float
    load_1min: float
    governors: tuple[str, ...] | None
    clocks_mhz: tuple[float, ...] | None
    max_clocks_mhz: tuple[float, ...] | None
    temperatures_c: dict[str, float] | None
    throttle_counts: dict[str, int] | None
    busy_s: float | None
    stolen_s: float | None
    own_s: float
    energy_uj: dict[str, int] | None
    energy_range_uj: dict[str, int] | None = None
    pi_throttled: int | None = None
    power_mode: str | None = None


def run_command(command: Sequence[str]) -> str | None:
    """Return what `command` prints, or None if it is not installed, fails or takes longer than 5 s."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def snapshot(root: Path = ROOT, command: Command | None = run_command) -> Snapshot:
    """Read every probe below `root`; without `command` those that need a program stay None (it takes milliseconds)."""
    cpus = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*"), key=lambda path: int(path.name[3:]))
    busy_s, stolen_s = _cpu_times(root)
    times = os.times()
    return Snapshot(
        time_s=time.monotonic(),
        load_1min=os.getloadavg()[0],
        governors=_all([_text(cpu / "cpufreq/scaling_governor") for cpu in cpus]),
        clocks_mhz=_clocks(root, cpus),
        max_clocks_mhz=_khz(cpus, "cpuinfo_max_freq"),
        temperatures_c=_temperatures(root),
        throttle_counts=_counters({cpu.name: cpu / "thermal_throttle/core_throttle_count" for cpu in cpus}),
        busy_s=busy_s,
        stolen_s=stolen_s,
        own_s=times.user + times.system,
        energy_uj=_rapl(root, "energy_uj"),
        energy_range_uj=_rapl(root, "max_energy_range_uj"),
        pi_throttled=parse_get_throttled(command(("vcgencmd", "get_throttled"))) if command else None,
        power_mode=parse_nvpmodel(command(("nvpmodel", "-q"))) if command else None,
    )


def parse_get_throttled(text: str | None) -> int | None:
    """Return the bits of `throttled=0x50000`: 0-3 are true now, 16-19 have been true since boot."""
    _, sign, value = (text or "").strip().partition("throttled=")
    try:
        return int(value, 16) if sign else None
    except ValueError:
        return None


def parse_nvpmodel(text: str | None) -> str | None:
    """Return the mode of `NV Power Mode: MAXN` with its number from the line below, e.g. `MAXN (0)`."""
    lines = (text or "").strip().splitlines()
    for i, line in enumerate(lines):
        _, sign, name = line.partition("NV Power Mode:")
        if sign:
            number = lines[i + 1].strip() if i + 1 < len(lines) else ""
            return f"{name.strip()} ({number})" if number.isdigit() else name.strip()
    return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def _all(values: Sequence[str | None]) -> tuple[str, ...] | None:
    known = tuple(value for value in values if value is not None)
    return known if known and len(known) == len(values) else None


def _khz(cpus: Sequence[Path], name: str) -> tuple[float, ...] | None:
    known = tuple(value / 1000 for cpu in cpus if (value := _number(cpu / "cpufreq" / name)) is not None)
    return known or None


def _clocks(root: Path, cpus: Sequence[Path]) -> tuple[float, ...] | None:
    if (clocks := _khz(cpus, "scaling_cur_freq")) is not None:
        return clocks
    lines = (_text(root / "proc/cpuinfo") or "").splitlines()
    return tuple(float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")) or None


def _temperatures(root: Path) -> dict[str, float] | None:
    found = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        # A zone that is switched off (a GPU asleep) answers with an error; it is left out.
        if (value := _number(zone / "temp")) is not None:
            found[f"{zone.name}:{_text(zone / 'type') or '?'}"] = value / 1000
    return found or None


def _counters(paths: dict[str, Path]) -> dict[str, int] | None:
    return {name: value for name, path in paths.items() if (value := _number(path)) is not None} or None


def _rapl(root: Path, name: str) -> dict[str, int] | None:
    # Only whole packages (intel-rapl:0); what lies below them (intel-rapl:0:1) is contained in them.
    zones = sorted(path for path in (root / "sys/class/powercap").glob("intel-rapl:*") if path.name.count(":") == 1)
    return _counters({zone.name: zone / name for zone in zones})


def _cpu_times(root: Path) -> tuple[float | None, float | None]:
    fields = (_text(root / "proc/stat") or "").partition("\n")[0].split()
    if not fields or fields[0] != "cpu" or len(fields) < 9:
        return None, None
    user, nice, system, _idle, _iowait, irq, softirq, stolen = (int(field) for field in fields[1:9])
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) * tick_s, stolen * tick_s
