"""Units of a machine, from files as the kernel would show them."""

from pathlib import Path

import pytest

from edgecnn.bench.units import units


@pytest.fixture
def machine(tmp_path):
    def write(*files, **devices):
        for number, (vendor, kind) in enumerate(devices.values()):
            folder = tmp_path / "sys/bus/pci/devices" / f"0000:0{number}:00.0"
            folder.mkdir(parents=True)
            (folder / "vendor").write_text(f"{vendor}\n")
            (folder / "class").write_text(f"{kind}\n")
        for name in files:
            path = Path(tmp_path / name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("# R36 (release), REVISION: 4.3, GCID: 1\nmore\n")
        return tmp_path

    return write


def test_a_machine_without_any(machine):
    assert units(machine(bridge=("0x8086", "0x060000"))) == []


@pytest.mark.parametrize(
    ("device", "driver", "kind", "command"),
    [
        (("0x10de", "0x030000"), "proc/driver/nvidia/version", "nvidia gpu", "ubuntu-drivers install"),
        (("0x10de", "0x030200"), "proc/driver/nvidia/version", "nvidia gpu", "ubuntu-drivers install"),
        (("0x8086", "0x030000"), "dev/dri/renderD128", "intel gpu", "apt install intel-opencl-icd"),
        (("0x8086", "0x120000"), "dev/accel/accel0", "intel npu", "intel-level-zero-npu"),
    ],
)
def test_a_unit_without_its_driver_says_what_brings_it(machine, device, driver, kind, command):
    root = machine(unit=device)
    (found,) = units(root)
    assert found.kind == kind
    assert found.missing
    assert command in found.get
    machine(driver)
    (found,) = units(root)
    assert (found.missing, found.get) == ("", "")


def test_a_jetson_without_tensorrt(machine):
    root = machine("etc/nv_tegra_release")
    (found,) = units(root)
    assert (found.kind, found.name) == ("jetson", "R36 (release), REVISION: 4.3, GCID: 1")
    assert "nvidia-jetpack" in found.get
    machine("usr/src/tensorrt/bin/trtexec")
    assert units(root)[0].missing == ""
