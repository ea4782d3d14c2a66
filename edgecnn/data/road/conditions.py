"""The conditions a scene can show, by their tags, and how often each comes up."""

import difflib
from dataclasses import dataclass

import numpy as np

from edgecnn.core.errors import InputError
from edgecnn.data.road.light import TIMES, WEATHERS

KINDS = ("freeway", "rural", "urban")
FEATURES = ("curve", "worn")
ALL = (*TIMES, *WEATHERS, *KINDS, *FEATURES)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What one scene is to show."""

    time: str
    weather: str
    kind: str
    curved: bool
    worn: bool

    def tags(self) -> tuple[str, ...]:
        """Return the scene's tags: time, weather, kind of road, then its features."""
        features = {"curve": self.curved, "worn": self.worn}
        return (self.time, self.weather, self.kind, *(name for name in FEATURES if features[name]))


def check_conditions(names: tuple[str, ...]) -> None:
    """Raise `InputError` for the first name that is no condition, with the nearest one that is."""
    for name in names:
        if name not in ALL:
            near = difflib.get_close_matches(name, ALL, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise InputError(f"'{name}' is no road condition{hint} Conditions are {', '.join(ALL)}.")


def sample_conditions(rng: np.random.Generator, wanted: tuple[str, ...]) -> Conditions:
    """Draw one scene's conditions: free choices at their usual rates, the wanted ones for certain."""
    return Conditions(
        time=_draw(rng, TIMES, (0.74, 0.1, 0.16), wanted),
        weather=_draw(rng, WEATHERS, (0.62, 0.2, 0.11, 0.07), wanted),
        kind=_draw(rng, KINDS, (0.66, 0.22, 0.12), wanted),
        curved=bool(rng.random() < 0.35) or "curve" in wanted,
        worn=bool(rng.random() < 0.14) or "worn" in wanted,
    )


def _draw(rng: np.random.Generator, names: tuple[str, ...], rates: tuple[float, ...], wanted: tuple[str, ...]) -> str:
    chosen = [name for name in names if name in wanted] or list(names)
    weights = np.array([rates[names.index(name)] for name in chosen])
    return str(rng.choice(chosen, p=weights / weights.sum()))
