"""The report as one self-contained HTML page: no script, no external resource, light and dark."""

import base64
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined

from edgecnn import __version__
from edgecnn.report import sections, verdict
from edgecnn.report.facts import ReportFacts
from edgecnn.report.headline_tiles import tiles
from edgecnn.report.summary import about

TEMPLATES: Final = resources.files("edgecnn.report") / "templates"
_STATUS_WORDS: Final = {"pass": "Pass:", "fail": "Fail:", "warn": "Note:", "none": ""}


def build(facts: ReportFacts) -> str:
    """Return the page. Every text in `facts` is untrusted and is escaped."""
    shown, absent = sections.build_all(facts)
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            headline=verdict.headline(facts),
            tiles=tiles(facts),
            about=about(facts),
            name=facts.name,
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
