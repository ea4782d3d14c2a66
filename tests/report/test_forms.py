import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from example_run import make
from msgspec.structs import replace as changed

from edgecnn.core.bundle import Parity
from edgecnn.core.errors import DataError
from edgecnn.core.evidence import Start
from edgecnn.report import charts, html_page, json_record, markdown_page, sections
from edgecnn.report.blocks import Absent, Gallery
from edgecnn.report.facts import gather, gather_bundle
from edgecnn.report.sections import gallery
from edgecnn.report.sections import latency as latency_section

HOSTILE = (
    "</title><script>alert(1)</script>\"'><img src=https://e.vil/x onerror=alert(2)>"
    "$\\frac{1}{0}$|`x` [a](javascript:b)"
)
VOID = {"meta", "img", "br", "path", "use", "rect", "circle", "line"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; a tag that does not close what was opened last is an error."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def assert_tables_are_even(markdown: str) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE)
    assert tables
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


@pytest.fixture(scope="module")
def html(facts):
    return html_page.build(facts)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    facts = gather(make(tmp_path_factory.mktemp("hostile"), fail=True, name=HOSTILE, frames=1))
    verify = facts.verify
    gates = tuple(changed(gate, text=HOSTILE, rule=HOSTILE) for gate in verify.gates)
    frames = tuple(changed(frame, why=HOSTILE, tags=(HOSTILE,)) for frame in verify.gallery)
    artefacts = tuple(
        replace(
            one,
            name=f"{HOSTILE} {one.name}" if one.precision == "int8" else one.name,
            engine=HOSTILE if one.precision == "int8" else one.engine,
            notes=(HOSTILE,),
            by_tag={HOSTILE: next(iter(one.by_tag.values())), **one.by_tag},
            parity=Parity({HOSTILE: 0.1}, 0.2, 3),
        )
        for one in facts.artefacts
    )
    model = facts.quantized[0]
    layers = tuple(changed(layer, name=HOSTILE, op=HOSTILE, reads=(HOSTILE,)) for layer in model.drift.layers)
    tensors = {HOSTILE: next(iter(model.drift.tensors.values()))}
    drift = changed(model.drift, layers=layers, tensors=tensors, outputs_db={HOSTILE: 3.0}, unmatched=(HOSTILE,))
    return replace(
        facts,
        quantized=(changed(model, scheme=HOSTILE, left_in_float={HOSTILE: HOSTILE}, drift=drift),),
        artefacts=artefacts,
        verify=changed(verify, gates=gates, gallery=frames, metric=HOSTILE),
        train=changed(facts.train, model=HOSTILE, figure=HOSTILE),
        provenance={HOSTILE: HOSTILE, "recipe": {HOSTILE: [HOSTILE]}, "versions": {HOSTILE: HOSTILE}},
    )


def test_the_page_is_well_formed_and_says_the_verdict_first(html):
    page = Page(html)
    assert page.open == []
    said = [text.strip() for text in page.text if text.strip()]
    assert said[0] == "PASS: lanes-small"
    assert said[1] == "PASS"
    assert said[2].startswith("INT8 on OpenVINO runs 3.10")


def test_every_section_is_there(html):
    keys = set(re.findall(r'<section id="([a-z]+)"', html))
    assert keys >= {
        "artefacts",
        "gates",
        "accuracy",
        "latency",
        "learning",
        "gallery",
        "size",
        "quantization",
        "provenance",
    }


def test_the_page_needs_nothing_from_outside(html):
    page = Page(html)
    assert "script" not in page.tags
    assert not page.tags & {"link", "iframe", "object", "embed", "base", "form"}
    for tag, name, value in page.attributes:
        if name in {"src", "href", "xlink:href", "srcset", "action", "data"}:
            assert value.startswith(("#", "data:image/jpeg;base64,")), (tag, name, value[:80])
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html.replace("url('#", "url(#"))
    assert "default-src 'none'" in html


def test_every_reference_inside_the_page_leads_somewhere(html):
    page = Page(html)
    names = {value for _, name, value in page.attributes if name == "id"}
    wanted = {value[1:] for _, name, value in page.attributes if name == "href"}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", html))
    assert wanted <= names


def test_hostile_names_stay_text(hostile):
    html = html_page.build(hostile)
    page = Page(html)
    assert page.open == []
    assert "script" not in page.tags
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert not any(
        tag == "img" and not value.startswith("data:") for tag, name, value in page.attributes if name == "src"
    )
    assert any("<script>alert(1)</script>" in text for text in page.text)


def test_hostile_names_stay_text_in_markdown(hostile):
    text = markdown_page.build(hostile)
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    assert "<" not in prose.replace("&lt;", "")
    assert "https://" not in prose
    assert not re.search(r"(?<!\\)\]\(", prose)
    assert not re.search(r"(?<!\\)`", prose)
    assert_tables_are_even(prose)


def test_hostile_names_survive_in_json(hostile):
    assert json.loads(json_record.build(hostile))["name"] == HOSTILE


def test_the_page_is_the_same_every_time(facts, html):
    assert html_page.build(facts) == html


def test_charts_speak_the_colours_and_the_font_of_the_page(html):
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(drawings) >= 7
    for drawing in drawings:
        assert 'role="img"' in drawing
        assert "#0101" not in drawing
        assert "DejaVu" not in drawing
        assert "mathdefault" not in drawing
        assert "var(--" in drawing
    style = html_page.TEMPLATES.joinpath("style.css").read_text()
    for variable in set(re.findall(r"var\((--[a-z]+)\)", "".join(drawings))):
        assert f"{variable}:" in style


def test_light_and_dark_define_the_same_colours():
    style = html_page.TEMPLATES.joinpath("style.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    names = set(re.findall(r"(--[\w-]+):", light)) - {"--font", "--mono"}
    assert set(re.findall(r"(--[\w-]+):", dark)) == names
    assert set(charts._VARIABLES.values()) <= names


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    "pair",
    [
        ("ink", "paper"),
        ("ink", "surface"),
        ("muted", "paper"),
        ("muted", "surface"),
        ("pass", "pass-wash"),
        ("fail", "fail-wash"),
        ("accent", "paper"),
        ("warn", "warn-wash"),
    ],
)
def test_text_stands_out_from_its_ground(scheme, pair):
    style = html_page.TEMPLATES.joinpath("style.css").read_text()
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))

    def luminance(colour):
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    dark, light = sorted(luminance(colours[name]) for name in pair)
    # WCAG 2.1, 1.4.3: 4.5 to 1 for text.
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_every_measurement_stands_with_interval_count_and_origin(facts, html):
    text = " ".join(Page(html).text)
    for verdict in facts.verify.verdicts:
        accuracy = verdict.figures["accuracy"]
        assert f"{100 * accuracy.value:.1f} %" in text
        assert f"[{100 * accuracy.low:.1f}, {100 * accuracy.high:.1f}]" in text
    cells = re.findall(r"<td>(.*?)</td>", html, re.DOTALL)
    for cell in cells:
        if re.search(r">[\d.,]+ (?:ms|points|%)<", cell):
            assert re.search(r"\[|no interval", cell), cell
    assert "n 400, measured" in text


def test_a_predicted_figure_is_marked(facts):
    one = facts.artefact("openvino-int8")
    run = one.runs["single_stream"]
    figures = {**run.figures, "p50_ms": changed(run.figures["p50_ms"], how="predicted")}
    runs = {**one.runs, "single_stream": changed(run, figures=figures)}
    artefacts = tuple(replace(x, runs=runs) if x is one else x for x in facts.artefacts)
    html = html_page.build(replace(facts, artefacts=artefacts))
    assert re.search(r'is-warn">3\.07 ms</span><span class="sub">\[3\.06, 3\.08\]\nn 1,360, predicted', html)


def test_a_refused_percentile_says_why(html):
    assert re.search(r"refused</span><span class=\"sub\">260 samples, 662 needed", html)


def test_a_failed_run_is_said_in_all_forms(failed):
    assert 'class="is-fail"' in html_page.build(failed)
    assert markdown_page.build(failed).startswith("# FAIL: 1 of 8 gates missed: openvino-int8: loses 2.72")
    record = json.loads(json_record.build(failed))
    assert record["passed"] is False
    assert record["verdict"]["artefact"] == "onnxruntime-int8"


def test_markdown_says_the_verdict_first_and_holds_the_tables(facts):
    text = markdown_page.build(facts)
    assert text.startswith("# PASS: INT8 on OpenVINO runs 3.10\N{MULTIPLICATION SIGN} \\[3.01, 3.20\\]")
    assert "| openvino-int8 (INT8 on OpenVINO) | 94.9 % (\\[94.1, 95.7\\], n 400, measured)" in text
    assert_tables_are_even(text)


def test_json_holds_every_figure_whole(facts):
    record = json.loads(json_record.build(facts))
    int8 = next(one for one in record["artefacts"] if one["name"] == "openvino-int8")
    assert int8["drop"]["low"] < int8["drop"]["value"] < int8["drop"]["high"]
    assert int8["figures"]["accuracy"]["n"] == 400
    assert record["verdict"]["speed"]["how"] == "measured"
    assert len(record["train"]["curve"]) == 30


def test_weights_that_a_training_went_on_from_are_named(facts):
    start = Start("people", "0123456789abcdef" * 4, 40, ("head.weight", "head.bias"))
    page = Page(html_page.build(replace(facts, train=changed(facts.train, start=start))))
    assert "people (0123456789ab), 40 of 42 tensors" in page.text


def test_a_bundle_alone_makes_a_page_and_says_what_it_lacks(folders):
    html = html_page.build(gather_bundle(folders["seal"] / "bundle"))
    page = Page(html)
    assert page.open == []
    assert any("No learning curve" in text for text in page.text)
    assert any("No gallery" in text for text in page.text)


def test_a_bare_bundle_makes_a_page(facts):
    bare = tuple(
        replace(one, parity=None, figures={}, by_tag={}, drop=None, runs={}, passed=None) for one in facts.artefacts
    )
    empty = replace(
        facts, artefacts=bare, figure="", reference="", train=None, verify=None, bench=None, samples={}, provenance={}
    )
    page = Page(html_page.build(empty))
    assert "NOT JUDGED" in page.text
    assert markdown_page.build(empty).startswith("# NOT JUDGED")
    json.loads(json_record.build(empty))


def test_judged_samples_leave_out_warm_up_and_lead_in(facts):
    run = facts.artefact("openvino-int8").runs["single_stream"]
    shown = latency_section.judged_ms(facts, run)
    assert 0 < len(shown) < len(facts.samples[f"{run.samples}/latency_ns"]) - 40
    assert latency_section.judged_ms(replace(facts, samples={}), run).size == 0


def test_a_gallery_of_large_frames_still_fits_the_page(tmp_path):
    folders = make(tmp_path, frames=9)
    noise = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)
    for path in (folders["verify"] / "gallery").iterdir():
        cv2.imwrite(str(path), noise)
    facts = gather(folders)
    many = changed(facts.verify, gallery=facts.verify.gallery * 2)
    assert 1_000_000 < len(html_page.build(replace(facts, verify=many))) < 4_000_000


def test_frames_that_do_not_fit_even_at_the_last_grade_are_counted(facts, monkeypatch):
    whole = gallery.build(facts)
    smallest = sum(len(panel.jpeg) for panel in whole.blocks[1].shots[0].panels)
    monkeypatch.setattr(gallery, "_BUDGET_BYTES", smallest // 2)
    cut = gallery.build(facts)
    assert 0 < len(cut.blocks[1].shots) < len(whole.blocks[1].shots)
    assert "more did not fit on the page" in cut.blocks[0].text


def test_a_gallery_picture_outside_of_the_result_is_refused(facts):
    frame = changed(facts.verify.gallery[0], image="../../train/train.json")
    with pytest.raises(DataError, match="inside the verify result"):
        gallery.build(replace(facts, verify=changed(facts.verify, gallery=(frame,))))


def test_the_gallery_shows_truth_reference_and_the_compressed_one(facts):
    section = gallery.build(facts)
    shots = next(block for block in section.blocks if isinstance(block, Gallery)).shots
    assert [panel.label for panel in shots[0].panels] == ["Ground truth", "openvino-fp32", "openvino-int8"]
    pictures = [cv2.imdecode(np.frombuffer(panel.jpeg, np.uint8), 1) for panel in shots[0].panels]
    assert len({picture.shape for picture in pictures}) == 1
    assert (pictures[0] != pictures[2]).any()


def test_a_task_without_a_drawing_has_no_gallery(facts):
    assert isinstance(gallery.build(replace(facts, task="unheard-of")), Absent)


def test_a_section_is_shown_or_says_why_not(facts):
    shown, absent = sections.build_all(facts)
    assert len(shown) + len(absent) == len(sections.SECTIONS)
    assert len({section.key for section in shown}) == len(shown)


def test_no_two_artefacts_look_alike_in_a_chart(facts):
    pruned = tuple(replace(one, name=f"{one.name}-pruned") for one in facts.artefacts)
    every = (*facts.artefacts, *pruned)
    assert len({(charts.colour_of(one), charts.marker_of(one, every)) for one in every}) == len(every)
    assert len({(charts.colour_of(one), str(charts.line_of(one, every))) for one in every}) == len(every)


def test_long_names_keep_both_ends():
    assert charts.short("openvino-int8") == "openvino-int8"
    assert len(charts.short("a" * 50)) <= 20
    assert charts.short("onnxruntime-a-very-long-name-int8").endswith("int8")
