"""From (seed, index) to a picture of a road and its labels."""

from dataclasses import dataclass

from edgecnn.core.errors import InputError
from edgecnn.core.results import Frame, Lanes
from edgecnn.data.road.conditions import check_conditions
from edgecnn.data.road.plan import Plan, sample_plan
from edgecnn.data.road.render import render

_MIN_WIDTH, _MIN_HEIGHT = 64, 48


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture, uint8 BGR [H, W, 3], its exact lane lines, and the conditions it shows."""

    image: Frame
    lanes: Lanes
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoadScenes:
    """An endless set of road pictures; the same seed and index give the same picture in any process.

    Attributes:
        seed: any whole number >= 0.
        width, height: size of the pictures in pixels.
        conditions: tags that every scene must carry, such as ("day", "clear"); of several times, weathers or kinds of
            road one is drawn. Empty for everything.

    Raises:
        InputError: a condition is unknown or contradicts another, or the size or seed is out of range.
    """

    seed: int
    width: int = 640
    height: int = 360
    conditions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_conditions(self.conditions)
        if self.width < _MIN_WIDTH or self.height < _MIN_HEIGHT:
            raise InputError(
                f"scenes of {self.width}x{self.height} pixels are too small; ask for {_MIN_WIDTH}x{_MIN_HEIGHT} or more"
            )
        if self.seed < 0:
            raise InputError(f"the seed must be >= 0, not {self.seed}")

    def plan(self, index: int) -> Plan:
        """Return what scene `index` >= 0 is made of."""
        return sample_plan(self.seed, index, self.width, self.height, self.conditions)

    def scene(self, index: int) -> Scene:
        """Return scene number `index` >= 0."""
        plan = self.plan(index)
        return Scene(render(plan), plan.lanes, plan.conditions.tags)
