from dataclasses import replace

import pytest
from msgspec.structs import replace as changed
from rich.console import Console

from edgecnn.cli.drift_table import drift_table
from edgecnn.core.bundle import Bundle, open_bundle, write_bundle
from edgecnn.core.evidence import Drift, Trial, UnitDecision
from edgecnn.report import drift_words
from edgecnn.report.blocks import Absent, Charts, Notice, Pairs, Table, Text
from edgecnn.report.facts import QUANTIZATION, gather, gather_bundle
from edgecnn.report.sections import quantization


@pytest.fixture(scope="module")
def section(facts):
    return quantization.build(facts)


@pytest.fixture(scope="module")
def drift(facts) -> Drift:
    return facts.quantized[0].drift


def of(section, kind):
    return [block for block in section.blocks if isinstance(block, kind)]


def told(drift):
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(drift_table(drift))
    return console.export_text()


def test_the_worst_layer_is_named_first_with_its_share_and_its_outlier(section):
    headline = of(section, Text)[0].text
    assert headline.startswith(
        "openvino-int8: 80 % of the error comes from 3 of 23 layers that read INT8: Conv_9 (78 %)"
    )
    layers = of(section, Table)[0].rows
    assert layers[0][0].text == "Conv_9"
    assert "act_9" in layers[0][4].text
    assert "channel 17 and 1 more up to 103" in layers[0][4].sub


def test_the_worst_tensor_comes_first_with_range_and_channels(section):
    row = of(section, Table)[1].rows[0]
    assert row[0].text == "act_9"
    assert row[2].text == "\N{MINUS SIGN}4 \N{HORIZONTAL ELLIPSIS} 4"
    assert row[5].text.startswith("17 (103")


def test_reasons_are_grouped_and_the_commonest_comes_first(facts):
    reasons = {"a": "too slow", "b": "sensitive", "c": "sensitive"}
    model = changed(facts.quantized[0], left_in_float=reasons)
    section = quantization.build(replace(facts, quantized=(model,)))
    assert of(section, Pairs)[-1].pairs == (("sensitive", "2: b, c"), ("too slow", "1: a"))


def test_two_charts_say_what_they_show(section):
    (charts,) = of(section, Charts)
    assert [chart.title.partition(",")[0] for chart in charts.charts] == [
        "Signal to noise along the network",
        "Precision along the network",
    ]
    assert "Conv_9 78 %" in charts.charts[0].alt
    assert "92 % of the layers and 100 % of the multiply-adds in INT8" in charts.charts[1].alt


def test_times_take_the_place_of_multiply_adds(facts, drift):
    slow = tuple(changed(layer, time_ms=9.0 if layer.op == "Softmax" else 0.1) for layer in drift.layers)
    model = changed(facts.quantized[0], drift=changed(drift, layers=slow))
    (charts,) = of(quantization.build(replace(facts, quantized=(model,))), Charts)
    assert "20 % of the time in INT8" in charts.charts[1].alt
    assert "Softmax_24" in charts.charts[1].svg


def test_a_search_shows_what_it_tried_and_what_each_node_buys(facts):
    decisions = {
        "Conv_1": UnitDecision("int8", 0.31, 1e-3, "it pays"),
        "Conv_2": UnitDecision("float", -0.02, 0.0, "slower", "predicted"),
    }
    trials = (Trial(2, 2, 0.913), Trial(1, 2, 0.991, 0.71))
    model = changed(facts.quantized[0], decisions=decisions, trials=trials, notes=("INT8 is not faster here",))
    section = quantization.build(replace(facts, quantized=(model,)))
    tried, bought = of(section, Table)[-2:]
    assert [row[1].text for row in tried.rows] == ["2 of 2", "1 of 2"]
    assert tried.rows[0][3].text == "unknown"
    assert [cell.text for cell in bought.rows[0]] == ["Conv_1", "INT8", "31.00 % of the time", "30.0 dB"]
    assert bought.rows[1][2].text == "\N{MINUS SIGN}2.00 % of the time"
    assert bought.rows[1][2].sub.endswith("predicted")
    assert any("not faster here" in block.text for block in of(section, Notice))


def test_an_artefact_without_a_measurement_still_says_what_stays_in_float(section):
    assert any("was not measured" in block.text for block in of(section, Text))
    assert of(section, Pairs)[-1].title == "Left in float, and why, onnxruntime-int8"


def test_no_record_is_said(facts):
    assert isinstance(quantization.build(replace(facts, quantized=())), Absent)


def test_a_bundle_that_carries_the_record_shows_it(tmp_path, folders):
    sealed: Bundle = open_bundle(folders["seal"] / "bundle")
    files = {name: sealed.read(name) for name in sealed.manifest.files}
    assert gather_bundle(sealed.path).quantized == ()
    files[QUANTIZATION] = (folders["quantize"] / "quantize.json").read_bytes()
    write_bundle(tmp_path / "bundle", changed(sealed.manifest, files={}), files)
    assert gather_bundle(tmp_path / "bundle").quantized[0].drift is not None


def test_a_run_without_the_stage_takes_the_bundles_record(tmp_path, folders):
    sealed = open_bundle(folders["seal"] / "bundle")
    files = {name: sealed.read(name) for name in sealed.manifest.files}
    files[QUANTIZATION] = (folders["quantize"] / "quantize.json").read_bytes()
    write_bundle(tmp_path / "bundle", changed(sealed.manifest, files={}), files)
    others = {name: path for name, path in folders.items() if name != "quantize"}
    assert gather(others).quantized == ()
    assert len(gather(others | {"seal": tmp_path}).quantized) == 2


def test_the_terminal_says_the_same(drift):
    text = told(drift)
    lines = text.splitlines()
    assert text.startswith("80 % of the error comes from 3 of 23 layers that read INT8: Conv_9 (78 %)")
    assert next(line for line in lines if line.startswith("Conv_")).startswith("Conv_9")
    assert "left in float: 1 x sensitive: Softmax_24" in text


def test_a_name_with_brackets_is_no_markup(drift):
    layers = tuple(changed(layer, name=f"[red]{layer.name}[/]") for layer in drift.layers)
    assert "[red]Conv_9[/]" in told(changed(drift, layers=layers))


def test_shares_that_do_not_add_up_are_called_so(drift):
    assert "so the shares hold" in drift_words.headline(drift)
    assert "only a part" in drift_words.headline(changed(drift, parts_db=30.0))
    assert "as predicted" in drift_words.headline(changed(drift, shares="predicted", parts_db=None))


def test_a_network_that_rounds_nothing_says_so(drift):
    none = tuple(changed(layer, born_db=None, share=0.0) for layer in drift.layers)
    empty = changed(drift, layers=none, tensors={})
    assert drift_words.headline(empty) == "No layer reads anything rounded."
    assert "No layer reads" in told(empty)


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        ({"outliers": {}, "seen_max": 0.5, "seen_min": -0.1}, "its range is 13\N{MULTIPLICATION SIGN} what was seen"),
        ({"outliers": {}, "clipped": 0.03}, "3.0 % of its values clipped"),
        ({"outliers": {}}, "its median channel uses 4 of 256 levels"),
    ],
)
def test_what_makes_a_tensor_hard(drift, tensor, words):
    assert drift_words.trouble(changed(drift.tensors["act_9"], **tensor)).startswith(words)


@pytest.mark.parametrize(("db", "text"), [(None, "not comparable"), (120.0, "exact"), (-120.0, "nothing left")])
def test_limits_in_words(db, text):
    assert drift_words.db_text(db) == text
