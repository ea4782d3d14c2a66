"""Rules that a gate is written as: `recall[height<80, night] >= 0.6`.

rule      = figure [ "[" condition { "," condition } "]" ] bound number
figure    = name | metric "." name
condition = word                        frames with that tag
          | "not" word                  frames without it
          | name comparison value       objects
bound     = ">=" | "<=" | ">" | "<"
comparison = bound | "=" | "=="  | "!="
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from edgecnn.core.errors import InputError
from edgecnn.core.registry import nearest

EXAMPLE: Final = "recall[height<80, night] >= 0.6"
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_.:-]*"
_RULE: Final = re.compile(rf"\s*({_NAME})\s*(?:\[([^\]]*)\])?\s*(>=|<=|==|!=|=|>|<)\s*(\S+)\s*")
_OBJECTS: Final = re.compile(rf"({_NAME})\s*(>=|<=|==|!=|=|>|<)\s*(.+)")
_TAG: Final = re.compile(r"(not\s+)?([^\s\[\]<>=!,]+(?: [^\s\[\]<>=!,]+)*)")
_BOUNDS: Final = frozenset({">=", "<=", ">", "<"})


@dataclass(frozen=True, slots=True)
class TagCondition:
    """Frames that have a tag, or have it not."""

    tag: str
    there: bool = True

    def text(self) -> str:
        """Return the condition as it is written."""
        return self.tag if self.there else f"not {self.tag}"


@dataclass(frozen=True, slots=True)
class ObjectCondition:
    """Objects whose `name` (height, width, area, visibility, label, or an attribute) compares so with `value`."""

    name: str
    comparison: str
    value: float | str

    def text(self) -> str:
        """Return the condition as it is written."""
        value = f"{self.value:g}" if isinstance(self.value, float) else self.value
        return f"{self.name}{self.comparison}{value}"


Condition: TypeAlias = TagCondition | ObjectCondition


@dataclass(frozen=True, slots=True)
class GateRule:
    """A bound on a figure, over the frames and objects of a slice."""

    figure: str
    conditions: tuple[Condition, ...]
    bound: str
    limit: float

    @property
    def slice_text(self) -> str:
        """Return the figure with its slice as they are written."""
        inner = ", ".join(condition.text() for condition in self.conditions)
        return f"{self.figure}[{inner}]" if inner else self.figure

    def holds(self, value: float) -> bool:
        """Return whether `value` is within the bound."""
        return {
            ">=": value >= self.limit,
            "<=": value <= self.limit,
            ">": value > self.limit,
            "<": value < self.limit,
        }[self.bound]


def parse(text: str) -> GateRule:
    """Return the rule that `text` says.

    Raises:
        InputError: it says none; the message names what can't be read.
    """
    found = _RULE.fullmatch(text)
    if found is None:
        raise InputError(f"gate '{text}': write FIGURE[CONDITIONS] >= NUMBER, for instance {EXAMPLE}")
    figure, inner, bound, number = found.groups()
    if bound not in _BOUNDS:
        raise InputError(f"gate '{text}': '{bound}' bounds nothing; use one of >= <= > <")
    return GateRule(figure, conditions(inner, text), bound, _number(number, text))


def conditions(inner: str | None, text: str) -> tuple[Condition, ...]:
    """Return the conditions between brackets; `text` is what an error calls the whole."""
    if inner is None:
        return ()
    return tuple(_condition(part.strip(), text) for part in inner.split(","))


def check(text: str, figures: Mapping[str, Collection[str]]) -> GateRule:
    """Return the rule, if one of the metrics `figures` (figure names by metric) has its figure.

    Raises:
        InputError: it can't be read, or names a metric or figure that is none; the nearest one is told.
    """
    rule = parse(text)
    if "." in rule.figure:
        metric, _, figure = rule.figure.partition(".")
        if metric not in figures:
            raise InputError(f"gate '{text}': unknown metric '{metric}'{nearest(metric, figures)}")
        known = set(figures[metric])
    else:
        figure = rule.figure
        known = {name for names in figures.values() for name in names}
    if figure not in known:
        raise InputError(f"gate '{text}': unknown figure '{figure}'{nearest(figure, known)}")
    return rule


def _condition(part: str, text: str) -> Condition:
    if (found := _OBJECTS.fullmatch(part)) is not None:
        name, comparison, value = found.groups()
        comparison = "=" if comparison == "==" else comparison
        return ObjectCondition(
            "label" if name == "class" else name, comparison, _value(value.strip(), comparison, text)
        )
    if (found := _TAG.fullmatch(part)) is not None:
        return TagCondition(found[2], there=not found[1])
    raise InputError(f"gate '{text}': can't read the condition '{part}'; write height<80, label=rider or a tag")


def _value(value: str, comparison: str, text: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        if comparison in _BOUNDS:
            raise InputError(f"gate '{text}': '{value}' is no number; {comparison} compares numbers") from None
        return value.strip("'\"")


def _number(number: str, text: str) -> float:
    try:
        limit = float(number)
    except ValueError:
        limit = float("nan")
    if limit != limit or limit in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN alone differs from itself
        raise InputError(f"gate '{text}': '{number}' is no number; figures are shares such as 0.6")
    return limit
