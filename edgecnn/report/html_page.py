"""The report as one self-contained HTML page: no script, no external resource, light and dark."""

import base64
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined

from edgecnn import __version__
from edgecnn.report import sections, verdict
from edgecnn.report.blocks import Section, Tiles
from edgecnn.report.facts import ReportFacts
from edgecnn.report.headline_tiles import tiles
from edgecnn.report.summary import about
from edgecnn.report.verdict import Headline

TEMPLATES: Final = resources.files("edgecnn.report") / "templates"
_STATUS_WORDS: Final = {"pass": "Pass:", "fail": "Fail:", "warn": "Note:", "none": ""}


def build(facts: ReportFacts) -> str:
    """Return the page. Every text in `facts` is untrusted and is escaped."""
    shown, absent = sections.build_all(facts)
    return page(verdict.headline(facts), tiles(facts), about(facts), facts.name, shown, absent)


def page(
    headline: Headline,
    key_figures: Tiles | None,
    about_text: str,
    name: str,
    shown: Sequence[Section],
    absent: Sequence[str] = (),
) -> str:
    """Return a page of sections under a headline. Every text is untrusted and is escaped."""
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            headline=headline,
            tiles=key_figures,
            about=about_text,
            name=name,
            sections=shown,
            absent=absent,
            style=_template("style.css"),
            words=_STATUS_WORDS,
            version=__version__,
        )
    )


def _environment() -> Environment:
    made = Environment(autoescape=True, loader=FunctionLoader(_template), undefined=StrictUndefined, trim_blocks=True)
    made.filters["base64"] = _base64
    return made


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


def _base64(data: Any) -> str:
    return base64.b64encode(data).decode("ascii")
