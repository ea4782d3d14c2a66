"""What devices can't run: each rule with a device that breaks it and one that does not."""

import pytest
from msgspec.structs import replace

from edgecnn.core import shared
from edgecnn.core.device import Fact, load_device
from edgecnn.core.device_rules import RULES, ModelFacts, refusals, version


def support_of(device, engine="tensorrt", unit="gpu"):
    return next(one for one in device.engines if (one.engine, one.unit) == (engine, unit))


def broken(name, facts, engine="tensorrt", unit="gpu"):
    device = load_device(name)
    return {one.rule: one for one in refusals(device, support_of(device, engine, unit), facts)}


ORIN = "jetson-orin-nx-16gb"


@pytest.mark.parametrize(
    ("rule", "breaks", "keeps", "words"),
    [
        ("int8_units", ("jetson-nano-4gb", ModelFacts("int8")), (ORIN, ModelFacts("int8")), "no INT8 units; take FP16"),
        ("int8_units", ("jetson-tx2", ModelFacts("mixed")), ("jetson-tx2", ModelFacts("fp16")), "--precision fp16"),
        (
            "opset",
            ("jetson-nano-4gb", ModelFacts("fp16", opset=17)),
            ("jetson-nano-4gb", ModelFacts("fp16", opset=13)),
            "TensorRT 8.2.1 reads 13 at most; export it again at opset 13",
        ),
        (
            "opset",
            (f"{ORIN}-jp5.1", ModelFacts("fp16", opset=19)),
            (ORIN, ModelFacts("fp16", opset=19)),
            "TensorRT 8.5.2 reads 17 at most",
        ),
        (
            "operator",
            ("jetson-nano-4gb", ModelFacts("fp16", operators=frozenset({"Conv", "HardSwish"}))),
            (f"{ORIN}-jp5.1", ModelFacts("fp16", operators=frozenset({"Conv", "HardSwish"}))),
            "does not know HardSwish (from 8.4)",
        ),
        (
            "uint8_input",
            ("jetson-tx2", ModelFacts("fp16", inputs={"image": "uint8"})),
            (ORIN, ModelFacts("fp16", inputs={"image": "uint8"})),
            "takes no uint8 input ('image')",
        ),
        ("execution", ("jetson-tx2", ModelFacts("fp16")), (f"{ORIN}-jp5.1", ModelFacts("fp16")), "execute_async_v3"),
        ("python_tensorrt", (f"{ORIN}-jp5.1", ModelFacts("fp16")), (ORIN, ModelFacts("fp16")), "Python 3.8 is too old"),
    ],
)
def test_a_rule_of_tensorrt(rule, breaks, keeps, words):
    found = broken(*breaks)
    assert words in found[rule].text()
    assert "\n" not in found[rule].text()
    assert rule not in broken(*keeps)


@pytest.mark.parametrize(
    ("rule", "name", "where", "facts", "words"),
    [
        ("static_shapes", "intel-lunar-lake", ("openvino", "npu"), ModelFacts("fp16", free=("x",)), "--shape x="),
        ("static_shapes", ORIN, ("tensorrt", "dla"), ModelFacts("fp16", free=("x",)), "takes fixed shapes only"),
        ("dla_pairs", ORIN, ("tensorrt", "dla"), ModelFacts("int8"), "reads no Q/DQ pairs"),
        ("dla_operators", ORIN, ("tensorrt", "dla"), ModelFacts("fp16", operators=frozenset({"HardSwish", "Conv"})),
         "does not compute HardSwish; those layers fall back"),
        ("fp32_units", "intel-lunar-lake", ("openvino", "npu"), ModelFacts("fp32"), "computes in FP16"),
        ("fp16_units", "intel-lunar-lake", ("openvino", "cpu"), ModelFacts("fp16"), "computes in FP32"),
        ("npu_driver", "intel-panther-lake", ("openvino", "npu"), ModelFacts("int8"), "OpenVINO 2025.4 and NPU driver"),
    ],
)  # fmt: skip
def test_a_rule_of_another_unit(rule, name, where, facts, words):
    assert words in broken(name, facts, *where)[rule].text()
    assert rule not in broken("x86-host-vnni", ModelFacts("int8"), "openvino", "cpu")


def test_shapes_that_are_not_fixed_matter_to_units_of_fixed_function_only():
    facts = ModelFacts("fp16", free=("x",))
    assert "static_shapes" not in broken(ORIN, facts)
    assert "static_shapes" not in broken("intel-lunar-lake", facts, "openvino", "gpu")


def test_an_engine_that_python_carries_is_blocked_by_an_old_one_and_tensorrt_only_hampered():
    device = load_device("raspberry-pi-4")
    software = replace(device.software, python=Fact(value="3.9", source="none", confidence="vendor"))
    old = replace(device, software=software, sources={**device.sources, "none": "made for this test"})
    found = {one.rule: one for one in refusals(old, support_of(old, "ncnn", "cpu"), ModelFacts("fp32"))}
    assert found["python"].blocks
    assert not broken(f"{ORIN}-jp5.1", ModelFacts("fp32"))["python_tensorrt"].blocks


def test_what_blocks_comes_first_and_every_rule_has_a_name_of_its_own():
    found = refusals(load_device("jetson-nano-4gb"), support_of(load_device("jetson-nano-4gb")), ModelFacts("int8"))
    assert [one.blocks for one in found] == sorted((one.blocks for one in found), reverse=True)
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("name", shared.names("devices"))
def test_every_engine_of_every_device_has_something_that_it_runs(name):
    device = load_device(name)
    plain = {"opset": 13, "operators": frozenset({"Conv", "Relu"}), "inputs": {"x": "float32"}}
    for support in device.engines:
        free = [
            p
            for p in ("fp32", "fp16")
            if not any(one.blocks for one in refusals(device, support, ModelFacts(p, **plain)))
        ]
        assert free, (name, support.engine, support.unit)


def test_versions_are_numbers_or_nothing():
    assert version("8.5.2") == (8, 5, 2)
    assert version("4.6.1 to 4.6.6") == version(None) == version("") == ()
