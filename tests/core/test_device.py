import math
import re

import msgspec
import pytest
import yaml

from edgecnn.core import shared
from edgecnn.core.device import Device, Figure, load_device
from edgecnn.core.device_text import describe
from edgecnn.core.errors import InputError, RecipeError

NAMES = shared.names("devices")
UNITS = {"GHz", "MHz", "cores", "SMs", "GB", "GB/s", "bits", "TOPS", "TFLOPS", "channels", "opset"}


def figures(value, where=""):
    """Yield every figure below `value` with its place."""
    if isinstance(value, Figure):
        yield where, value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from figures(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, dict | tuple):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, below in pairs:
            yield from figures(below, f"{where}.{key}")


@pytest.mark.parametrize("name", NAMES)
def test_every_device_file(name):
    device = load_device(name)
    assert device.name == name
    assert device.mode().default
    assert len({mode.name for mode in device.modes}) == len(device.modes)
    assert device.engines
    for where, figure in figures(device):
        assert device.sources[figure.source].strip(), where
        assert figure.unit in UNITS, where
        assert figure.value is None or (math.isfinite(figure.value) and figure.value > 0), where
        suffix = re.search(r"_(ghz|mhz|gb|tops|tflops|gb_s|bits)$", where)
        if suffix:
            assert figure.unit.lower().replace("/", "_") == suffix[1], where
    units = {"cpu"} | {unit for unit in ("gpu", "npu", "dla") if getattr(device, unit) is not None}
    assert {support.unit for support in device.engines} <= units
    for mode in device.modes:
        assert set(mode.peaks) <= units


@pytest.mark.parametrize("name", NAMES)
def test_no_source_is_listed_that_nothing_cites(name):
    path = shared.find("devices", name)
    tree = yaml.safe_load(path.read_text())
    if "extends" not in tree:
        cited = set(re.findall(r"source: (\w+)", path.read_text()))
        assert set(tree["sources"]) == cited


@pytest.mark.parametrize("name", NAMES)
def test_int8_is_claimed_only_where_the_silicon_has_it(name):
    device = load_device(name)
    for support in device.engines:
        if support.unit == "gpu" and "int8" not in support.precisions:
            assert all(mode.peaks["gpu"].int8_tops is None for mode in device.modes)
    for mode in device.modes:
        for unit, peak in mode.peaks.items():
            engines = [support for support in device.engines if support.unit == unit]
            if peak.int8_tops is not None and engines:
                assert any("int8" in support.precisions for support in engines)


def test_nano_and_tx2_have_no_int8():
    for name in ("jetson-nano-4gb", "jetson-tx2"):
        assert all("int8" not in support.precisions for support in load_device(name).engines)


@pytest.mark.parametrize("name", [n for n in NAMES if "orin" in n])
def test_orin_peaks_follow_from_sms_and_clock(name):
    device = load_device(name)
    for mode in device.modes:
        peak = mode.peaks["gpu"]
        dense = mode.gpu_sms.value * mode.gpu_clock_ghz.value * 4.096
        assert peak.int8_tops.value == pytest.approx(dense, abs=0.051)
        assert peak.int8_sparse_tops.value == pytest.approx(2 * dense, abs=0.051)
        assert peak.fp16_tflops.value == pytest.approx(dense / 2, abs=0.051)
        assert mode.gpu_sms.value <= device.gpu.sms.value
        assert mode.gpu_clock_ghz.value <= device.gpu.clock_ghz.value
        assert mode.cpu_cores.value <= device.cpu.cores.value


@pytest.mark.parametrize("name", [n for n in NAMES if "jetson" in n])
def test_bandwidth_follows_from_clock_and_bus(name):
    device = load_device(name)
    bus_bytes = device.memory.bus_bits.value / 8
    for mode in device.modes:
        clock = mode.memory_clock_mhz or (device.memory.clock_mhz if mode.default else None)
        if clock is not None and mode.bandwidth_gb_s.value is not None:
            assert mode.bandwidth_gb_s.value == pytest.approx(clock.value * 2 * bus_bytes / 1000, rel=0.002)


# Module, mode, and NVIDIA's own dense GPU, sparse GPU and total sparse figures, rounded as NVIDIA rounds them.
VENDOR = [
    ("jetson-orin-nano-4gb-jp6.1", "10W", 10, 20, 20),
    ("jetson-orin-nano-4gb", "MAXN_SUPER", 17, 33, 34),
    ("jetson-orin-nano-8gb-jp6.1", "15W", 20.5, 41, 40),
    ("jetson-orin-nano-8gb", "MAXN_SUPER", 33.4, 67, 67),
    ("jetson-orin-nx-8gb-jp6.1", "MAXN", 25, 50, 70),
    ("jetson-orin-nx-8gb", "MAXN_SUPER", 38, 77, 117),
    ("jetson-orin-nx-16gb-jp6.1", "MAXN", 30, 60, 100),
    ("jetson-orin-nx-16gb", "MAXN_SUPER", 38, 77, 157),
    ("jetson-agx-orin-32gb", "MAXN", 53, 107, 200),
    ("jetson-agx-orin-64gb", "MAXN", 85, 171, 275),
]


@pytest.mark.parametrize(("name", "mode", "dense", "sparse", "total"), VENDOR)
def test_peaks_agree_with_what_nvidia_states(name, mode, dense, sparse, total):
    peaks = load_device(name).mode(mode).peaks
    assert peaks["gpu"].int8_tops.value == pytest.approx(dense, abs=0.7)
    assert peaks["gpu"].int8_sparse_tops.value == pytest.approx(sparse, abs=0.7)
    dla = peaks["dla"].int8_sparse_tops.value if "dla" in peaks else 0
    assert peaks["gpu"].int8_sparse_tops.value + dla == pytest.approx(total, abs=1.5)


@pytest.mark.parametrize(
    ("name", "tensorrt", "opset"),
    [
        ("jetson-orin-nx-16gb-jp5.1", "8.5.2", 17),
        ("jetson-orin-nx-16gb-jp6.0", "8.6.2", 17),
        ("jetson-orin-nx-16gb", "10.3.0.30", 20),
        ("jetson-orin-nx-16gb-jp7.2", "10.16.2.10", 20),
        ("jetson-nano-4gb", "8.2.1", 13),
        ("jetson-thor-t5000", "10.13.3.9", 20),
    ],
)
def test_a_jetpack_brings_its_tensorrt(name, tensorrt, opset):
    software = load_device(name).software
    assert software.tensorrt.value == tensorrt
    assert software.onnx_opset_max.value == opset


def test_unknown_stays_unknown():
    assert load_device("snapdragon-8-elite").mode().peaks["npu"].int8_tops.value is None
    assert load_device("x86-host-vnni").mode().peaks["cpu"].int8_tops.value is None
    assert "unknown" in "\n".join(describe(load_device("x86-host-vnni")))


@pytest.mark.parametrize("name", NAMES)
def test_every_device_can_be_told(name):
    lines = list(describe(load_device(name)))
    assert lines[0].startswith(name)
    assert all(line.isascii() and line.strip() for line in lines)


def test_an_unknown_device_gets_the_nearest_name():
    with pytest.raises(InputError, match=r"unknown device 'jetson-orin-nano-8g' .*did you mean 'jetson-orin-nano-8gb'"):
        load_device("jetson-orin-nano-8g")
    with pytest.raises(InputError, match="has no power mode 'MAXN': 15W, 25W, MAXN_SUPER"):
        load_device("jetson-orin-nano-8gb").mode("MAXN")


@pytest.fixture
def pi(tmp_path):
    text = shared.find("devices", "raspberry-pi-5").read_text()
    (tmp_path / "raspberry-pi-5.yaml").write_text(text)

    def write(old, new, name="raspberry-pi-5"):
        path = tmp_path / f"{name}.yaml"
        assert old in text
        path.write_text(text.replace(old, new))
        return str(path)

    return write


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("engine: ncnn", "engin: ncnn", r"engines\.1\.engin: unknown key 'engin' \(did you mean 'engine'"),
        ("value: 2.4, unit: GHz, confidence: vendor", "value: fast, unit: GHz, confidence: vendor", "cpu.clock_ghz"),
        ("confidence: vendor, source: pi", "confidence: sure, source: pi", "Invalid enum value 'sure'"),
        ("{value: 2.4, unit: GHz, confidence: vendor", "{value: null, unit: GHz, confidence: vendor", "null value"),
        ("{value: 2.4, unit: GHz, confidence: vendor", "{value: 2.4, unit: GHz, confidence: unknown", "null value"),
        ("source: ncnn", "source: hearsay", "cites the source 'hearsay'"),
        ("    default: true\n", "", "exactly one power mode"),
    ],
)
def test_a_wrong_device_file_is_one_clear_line(pi, old, new, match):
    with pytest.raises(RecipeError, match=match):
        load_device(pi(old, new))


def test_a_variant_of_nothing_and_a_variant_of_a_variant(pi, tmp_path):
    for name, extends in (("a", "nowhere"), ("b", "raspberry-pi-5"), ("c", "b")):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\ntitle: t\nextends: {extends}\n")
    for name in "ac":
        with pytest.raises(RecipeError, match=rf"{name}\.yaml:3: extends: '.*' must be a whole device file"):
            load_device(str(tmp_path / f"{name}.yaml"))
    assert load_device(str(tmp_path / "b.yaml")).cpu == load_device("raspberry-pi-5").cpu


def test_a_variant_is_checked_as_a_whole(tmp_path, pi):
    pi("kind: arm", "kind: arm")
    (tmp_path / "v.yaml").write_text(
        "name: v\ntitle: t\nextends: raspberry-pi-5\nsoftware:\n"
        "  python: {value: '3.13', confidence: vendor, source: hearsay}\n"
    )
    with pytest.raises(RecipeError, match=r"v\.yaml: software\.python cites the source 'hearsay'"):
        load_device(str(tmp_path / "v.yaml"))


def test_a_device_survives_json():
    device = load_device("jetson-agx-orin-64gb")
    assert msgspec.convert(msgspec.to_builtins(device), Device) == device
