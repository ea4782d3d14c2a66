"""Blocks: what a section says, before it is known whether it will be HTML or Markdown.

All text in them is plain and untrusted; the renderers escape it. Only `Chart.svg` is markup, made by `charts.py`.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

Status: TypeAlias = Literal["pass", "fail", "warn", "none"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure or word; `sub` are the smaller lines below it (interval; count and origin)."""

    text: str
    sub: str = ""
    status: Status = "none"


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence that must not be overlooked."""

    kind: ClassVar[str] = "notice"
    status: Status
    text: str


@dataclass(frozen=True, slots=True)
class Tiles:
    """A few key figures, each with its label; `title` says what of."""

    kind: ClassVar[str] = "tiles"
    title: str
    tiles: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, the first column naming the row; `title` stands above, `caption` says what is counted and how."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """An inline SVG with the sentence a reader who can't see it gets."""

    title: str
    svg: str
    alt: str


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts side by side where there is room."""

    kind: ClassVar[str] = "charts"
    charts: tuple[Chart, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One JPEG of a gallery frame."""

    label: str
    jpeg: bytes
    text: str = ""


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame of the gallery: the same picture with different results on it."""

    title: str
    text: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Gallery:
    """Frames for the eye."""

    kind: ClassVar[str] = "gallery"
    shots: tuple[Shot, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Names and values under one heading."""

    kind: ClassVar[str] = "pairs"
    title: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Folded:
    """Long text that is closed until it is asked for."""

    kind: ClassVar[str] = "folded"
    summary: str
    text: str


Block: TypeAlias = Text | Notice | Tiles | Table | Charts | Gallery | Pairs | Folded


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report; `key` is its anchor."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """What a section answers that has nothing to show: why, as a whole sentence."""

    reason: str
