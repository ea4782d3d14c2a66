from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from edgecnn.core.bundle import open_bundle, write_bundle
from edgecnn.core.compress_evidence import COMPRESSION, CompressResult
from edgecnn.core.measure import Measurement
from edgecnn.report import json_record, markdown_page
from edgecnn.report.blocks import Absent, Charts, Folded, Pairs, Table
from edgecnn.report.compress_words import prices, widths
from edgecnn.report.facts import gather, gather_bundle
from edgecnn.report.sections import accuracy, artefacts, compression
from edgecnn.report.verdict import headline


@pytest.fixture(scope="module")
def section(facts):
    return compression.build(facts)


def of(section, kind):
    return [block for block in section.blocks if isinstance(block, kind)]


def test_the_way_is_drawn_from_the_uncompressed_network_to_the_last_step(section):
    way, bars = of(section, Charts)[0].charts
    assert "uncompressed 95.5 % at 6.41 ms; 1 low_rank" in way.alt
    assert way.alt.endswith("3 finetune 95.2 % at 3.23 ms.")
    for name in ("uncompressed", "1 low_rank", "2 prune", "3 finetune"):
        assert name in way.svg
    assert "7 of 8 groups were cut, 1,920 channels became 712" in bars.alt


def test_every_step_has_its_figures_and_what_it_took(section):
    table = of(section, Table)[0]
    assert [row[0].text for row in table.rows] == ["uncompressed", "1 low_rank", "2 prune", "3 finetune"]
    pruned = [cell.text for cell in table.rows[2]]
    assert pruned[1:] == [
        "95.0 %",
        "0.53 points",
        "3.22 ms",
        "1.98\N{MULTIPLICATION SIGN}",
        "802,310",
        "391.00 M",
        "37 min",
    ]
    assert "[0.34, 0.72]" in table.rows[2][2].sub


def test_a_millisecond_has_its_price_and_what_saves_none_has_not(facts):
    found = {price.name: price for price in prices(facts.compressed, "openvino")}
    ms = 6.41
    assert found["2 prune"].saved_ms == pytest.approx(ms / 1.10 - ms / 1.98)
    assert found["2 prune"].per_ms == pytest.approx((0.53 - 0.05) / (ms / 1.10 - ms / 1.98))
    assert found["3 finetune"].per_ms is None
    assert found["3 finetune"].paid == pytest.approx(-0.23)
    assert found["all steps"].per_ms == pytest.approx(0.30 / (ms - ms / 1.98))


def test_verdict_notes_refusals_and_rounds_are_told(section):
    pruned = next(block for block in of(section, Pairs) if block.title == "Step 2 prune")
    told = dict(pruned.pairs)
    assert told["Verdict beforehand"].startswith("pruning can reach 2.00x")
    assert told["Left alone: its channels are an output of the network"] == "1: loc"
    rounds = next(block for block in of(section, Table) if block.title.startswith("Rounds"))
    assert [row[0].sub for row in rounds.rows] == ["", "", "undone"]
    assert rounds.rows[0][2].status == "warn"


def test_channels_are_those_before_the_first_step_and_after_the_last(facts):
    way = facts.compressed
    again = changed(way.steps[1], widths={"stages.3.1.conv1": (64, 32)})
    both = changed(way, steps=(*way.steps, again))
    assert widths(both)["stages.3.1.conv1"] == (512, 32)
    assert "stages.3.1.conv1: 512 to 64" in of(compression.build(facts), Folded)[0].text


def test_a_step_that_changed_nothing_is_told_as_such(facts):
    way = facts.compressed
    idle = changed(way.steps[1], result=changed(way.original, speedup={}), widths={"a": (8, 8)}, rounds=(), refused={})
    section = compression.build(replace(facts, compressed=changed(way, steps=(idle,))))
    assert of(section, Table)[0].rows[1][2].sub == "unchanged"
    assert len(of(section, Charts)[0].charts) == 1
    assert prices(changed(way, steps=(idle,)), "openvino")[0].per_ms is None


def test_a_network_nobody_timed_has_a_table_but_no_picture(facts):
    def untimed(found):
        return changed(found, latency={}, speedup={})

    way = facts.compressed
    steps = tuple(changed(step, result=untimed(step.result), widths={}) for step in way.steps)
    section = compression.build(replace(facts, compressed=changed(way, original=untimed(way.original), steps=steps)))
    assert len(of(section, Table)[0].rows) == 4
    assert all("against latency" not in chart.title for block in of(section, Charts) for chart in block.charts)


def test_no_steps_are_said(facts):
    assert isinstance(compression.build(replace(facts, compressed=CompressResult())), Absent)


def test_the_other_forms_hold_it_too(facts):
    text = markdown_page.build(facts)
    assert "## Compression" in text
    assert "What each millisecond cost" in text
    assert len(json_record.record(facts)["compressed"]["steps"]) == 3
    assert json_record.record(replace(facts, compressed=CompressResult()))["compressed"] is None


def test_a_bundle_that_carries_the_record_shows_it(tmp_path, folders):
    sealed = open_bundle(folders["seal"] / "bundle")
    files = {name: sealed.read(name) for name in sealed.manifest.files}
    assert gather_bundle(sealed.path).compressed == CompressResult()
    files[COMPRESSION] = (folders["compress"] / COMPRESSION).read_bytes()
    write_bundle(tmp_path / "bundle", changed(sealed.manifest, files={}), files)
    assert len(gather_bundle(tmp_path / "bundle").compressed.steps) == 3
    others = {name: path for name, path in folders.items() if name != "compress"}
    assert len(gather(others | {"seal": tmp_path}).compressed.steps) == 3


def test_what_is_lost_all_in_all_is_what_the_report_speaks_of(facts):
    total = Measurement(0.62, "points", 400, 0.4, 0.85)
    judged = replace(
        facts,
        artefacts=tuple(replace(one, total_drop=total) for one in facts.artefacts),
        verify=changed(facts.verify, uncompressed={"accuracy": facts.compressed.original.figure}),
    )
    assert "loses 0.62 points [0.40, 0.85] of accuracy against the uncompressed network" in headline(judged).sentence
    table = of(artefacts.build(judged), Table)[0]
    assert {row[2].text for row in table.rows} == {"0.62 points"}
    assert "before any step of compression (95.5 %" in accuracy.build(judged).blocks[0].text
