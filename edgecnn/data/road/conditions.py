"""The conditions a scene can show, by their tags, and how often each comes up."""

import difflib
from dataclasses import dataclass

import numpy as np

from edgecnn.core.errors import InputError
from edgecnn.data.road.light import TIMES, WEATHERS

KINDS = ("freeway", "rural", "urban")
# Where people are: streets, squares and other paved places, anything else as a plain backdrop; and roads without them.
PEOPLE_KINDS = ("street", "square", "plain", "freeway", "rural")
# How often each feature shows where it can.
_FEATURE_RATES = {
    "curve": 0.35,
    "worn": 0.14,
    "occluded": 0.15,
    "shadow": 0.35,
    "glare": 0.06,
    "bridge": 0.07,
    "tunnel": 0.03,
}
FEATURES = tuple(_FEATURE_RATES)
ALL = (*TIMES, *WEATHERS, *KINDS, *FEATURES)

_TIME_RATES = (0.74, 0.1, 0.16)
_WEATHER_RATES = (0.62, 0.2, 0.11, 0.07)
_KIND_RATES = (0.66, 0.22, 0.12)
_PEOPLE_KIND_RATES = (0.62, 0.14, 0.10, 0.09, 0.05)
# What does not go with a kind of scene with people.
_UNFIT = {
    "street": ("bridge", "tunnel"),
    "square": ("bridge", "tunnel", "curve", "occluded", "worn"),
    "plain": ("bridge", "tunnel", "curve", "occluded", "worn", "glare"),
}
# Features that need the sun, and what rules each out.
_SUNNY = ("shadow", "glare")
_CLASHES = (("tunnel", "shadow"), ("tunnel", "glare"), ("tunnel", "bridge"), ("tunnel", "urban"))


@dataclass(frozen=True, slots=True)
class Conditions:
    """What one scene is to show; `features` is a subset of `FEATURES`, in that order."""

    time: str
    weather: str
    kind: str
    features: tuple[str, ...]

    def __contains__(self, feature: str) -> bool:
        """Whether the scene shows `feature`."""
        return feature in self.features

    @property
    def tags(self) -> tuple[str, ...]:
        """The scene's tags: time, weather, kind of road, then its features."""
        return (self.time, self.weather, self.kind, *self.features)


def check_conditions(names: tuple[str, ...], *, people: bool = False) -> None:
    """Raise `InputError` for a name that is no condition, with the nearest one that is, or for two that can't meet.

    `people` asks for the conditions of scenes with people, whose kinds are others.
    """
    kinds = PEOPLE_KINDS if people else KINDS
    known = (*TIMES, *WEATHERS, *kinds, *FEATURES)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise InputError(f"'{name}' is no road condition; {hint}conditions are {', '.join(known)}")
    clashes = [*_CLASHES, *((unfit, kind) for kind, all_unfit in _UNFIT.items() for unfit in all_unfit)]
    for first, second in clashes:
        if first in names and second in names and not set(names) & (set(kinds) - {second}):
            raise InputError(f"conditions '{first}' and '{second}' can't be in one scene; ask for one of them")
    sun_needed = [name for name in _SUNNY if name in names]
    if sun_needed and not (_possible(names, TIMES, ("day", "dusk")) and _possible(names, WEATHERS, ("clear",))):
        raise InputError(f"condition '{sun_needed[0]}' needs the sun; ask for it with 'clear' and 'day' or 'dusk'")


def _possible(names: tuple[str, ...], group: tuple[str, ...], allowed: tuple[str, ...]) -> bool:
    asked = [name for name in names if name in group]
    return not asked or any(name in allowed for name in asked)


def sample_conditions(rng: np.random.Generator, wanted: tuple[str, ...]) -> Conditions:
    """Draw one scene's conditions: free choices at their usual rates, the wanted ones for certain."""
    sunny = any(name in wanted for name in _SUNNY)
    time = _draw(rng, TIMES, (0.88, 0.12, 0.0) if sunny else _TIME_RATES, wanted)
    weather = _draw(rng, WEATHERS, (1.0, 0.0, 0.0, 0.0) if sunny else _WEATHER_RATES, wanted)
    kind = _draw(rng, KINDS, (0.75, 0.25, 0.0) if "tunnel" in wanted else _KIND_RATES, wanted)
    features = {name for name, rate in _FEATURE_RATES.items() if rng.random() < rate}
    if time == "night" or weather != "clear":
        features -= set(_SUNNY)
    ruled_out = {"tunnel"} if kind == "urban" else set()
    for first, second in _CLASHES[:3]:
        if {first, second} <= features | set(wanted):
            ruled_out.add(second if first in wanted else first)
    features = (features - ruled_out) | (set(wanted) & set(FEATURES))
    return Conditions(time, weather, kind, tuple(name for name in FEATURES if name in features))


def sample_people_conditions(rng: np.random.Generator, wanted: tuple[str, ...]) -> Conditions:
    """Draw the conditions of one scene with people: mostly streets, and now and then a road without anyone."""
    fit = [all(name not in wanted for name in _UNFIT.get(kind, ())) for kind in PEOPLE_KINDS]
    rates = tuple(rate * possible for rate, possible in zip(_PEOPLE_KIND_RATES, fit, strict=True))
    kind = _draw(rng, PEOPLE_KINDS, rates, wanted)
    # A road's own kinds are drawn as they always were; a street's features are those it can have.
    base = kind if kind in KINDS else "urban"
    others = tuple(name for name in wanted if name not in PEOPLE_KINDS)
    shown = sample_conditions(rng, (*others, base))
    unfit = _UNFIT.get(kind, ())
    return Conditions(shown.time, shown.weather, kind, tuple(name for name in shown.features if name not in unfit))


def _draw(rng: np.random.Generator, names: tuple[str, ...], rates: tuple[float, ...], wanted: tuple[str, ...]) -> str:
    asked = [i for i, name in enumerate(names) if name in wanted]
    weights = np.array([rates[i] if not asked or i in asked else 0.0 for i in range(len(names))])
    if weights.sum() == 0:
        weights[asked] = 1.0
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]
