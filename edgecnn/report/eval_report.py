"""The report of an evaluation: figures, conditions, curves, gates and the worst frames, as page, Markdown and JSON."""

from pathlib import Path
from typing import Final

from edgecnn.core import atomic, evidence
from edgecnn.core.eval_evidence import EvalResult
from edgecnn.core.measure import Measurement
from edgecnn.report import html_page, markdown_page, wording
from edgecnn.report.blocks import Section, Tiles
from edgecnn.report.eval_curves import curves
from edgecnn.report.eval_figures import conditions, figures, gates, shown_as
from edgecnn.report.eval_gallery import gallery
from edgecnn.report.verdict import Headline

FORMS: Final = ("eval.html", "eval.md", "eval.json")
# What stands under the headline, the first ones that were judged.
_KEY_FIGURES: Final = (
    "scene.figure",
    "tusimple.accuracy",
    "culane.f1",
    "people.ap50",
    "people.mr_reasonable",
    "people.recall",
    "people.precision",
    "coco.ap",
)
_MOST_TILES: Final = 5


def write(folder: Path, found: EvalResult) -> tuple[Path, ...]:
    """Write every form into `folder`, which holds the gallery, and return their paths; the page first."""
    shown = _sections(found, folder)
    said, tiles, about = headline(found), _tiles(found), _about(found)
    texts = (
        html_page.page(said, tiles, about, found.source, shown),
        markdown_page.page(said, tiles, about, shown),
    )
    for name, text in zip(FORMS, texts, strict=False):
        atomic.write_text(folder / name, text)
    evidence.write(folder / FORMS[-1], found)
    return tuple(folder / name for name in FORMS)


def headline(found: EvalResult) -> Headline:
    """Return what a decision-maker reads first."""
    keys = _keys(found)
    told = " and ".join(f"{_title(key)} {_phrase(key, measured)}" for key, measured in list(keys.items())[:2])
    sentence = f"{found.source}: {told or 'nothing could be judged'} on {found.frames:,} frames."
    if not found.gates:
        return Headline(
            "warn", "EVALUATED", sentence, ("No gate was given, so nothing here says whether it is enough.",)
        )
    missed = [gate for gate in found.gates if not gate.passed]
    if missed:
        count = f"{len(missed)} of {len(found.gates)} gates missed."
        return Headline("fail", "FAIL", sentence, (count, *(f"{gate.text}." for gate in missed)))
    held = f"All {len(found.gates)} gates hold." if len(found.gates) > 1 else "The gate holds."
    return Headline("pass", "PASS", sentence, (held,))


def _sections(found: EvalResult, folder: Path) -> tuple[Section, ...]:
    built = (gates(found), figures(found), conditions(found), curves(found), gallery(found, folder))
    return tuple(section for section in built if section is not None)


def _keys(found: EvalResult) -> dict[str, Measurement]:
    keys = {}
    for key in _KEY_FIGURES:
        metric, _, figure = key.partition(".")
        if figure in found.figures.get(metric, {}):
            keys[key] = found.figures[metric][figure]
    if not keys:
        keys = {f"{metric}.{name}": m for metric, table in found.figures.items() for name, m in table.items()}
    return keys


def _tiles(found: EvalResult) -> Tiles | None:
    keys = list(_keys(found).items())[:_MOST_TILES]
    if not keys:
        return None
    return Tiles(found.source, tuple((_title(key), wording.cell(shown_as(key, measured))) for key, measured in keys))


def _title(key: str) -> str:
    metric, _, figure = key.partition(".")
    return f"{wording.words(figure)} ({metric})"


def _phrase(key: str, measured: Measurement) -> str:
    return wording.phrase(shown_as(key, measured))


def _about(found: EvalResult) -> str:
    held = [f"{found.lines:,} lane lines" if found.lines else "", f"{found.objects:,} objects" if found.objects else ""]
    parts = [f"labels {found.data} ({found.form})", f"{found.frames:,} frames", *(part for part in held if part)]
    return " \N{MIDDLE DOT} ".join(parts)
