"""From (seed, index) to a picture of a road or a street and its labels."""

from dataclasses import dataclass

from edgecnn.core.errors import InputError
from edgecnn.core.results import Detections, Frame, Lanes
from edgecnn.data.road.conditions import check_conditions
from edgecnn.data.road.plan import Plan, sample_people_plan, sample_plan
from edgecnn.data.road.render import render
from edgecnn.data.road.street.found import Masks

_MIN_WIDTH, _MIN_HEIGHT = 64, 48


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture, its exact labels, and the conditions it shows.

    Attributes:
        image: uint8 BGR [H, W, 3].
        lanes: the lane lines.
        tags: the conditions.
        objects: people and vehicles that are seen, whole boxes and visible ones; what is under 20 px high or less than
            a fifth visible, and crowds ("people"), are to be ignored. None for scenes whose objects nobody labels.
        masks: uint16 [H, W], n + 1 where object n is seen and 0 elsewhere; None without objects.
    """

    image: Frame
    lanes: Lanes
    tags: tuple[str, ...]
    objects: Detections | None = None
    masks: Masks | None = None


@dataclass(frozen=True, slots=True)
class RoadScenes:
    """An endless set of road pictures; the same seed and index give the same picture in any process.

    Attributes:
        seed: any whole number >= 0.
        width, height: size of the pictures in pixels.
        conditions: tags that every scene must carry, such as ("day", "clear"); of several times, weathers or kinds of
            road one is drawn. Empty for everything.
        people: whether most scenes are streets, squares and other places with people in them, labelled with objects
            and masks too. The kinds of scene are then street, square, plain, freeway and rural.

    Raises:
        InputError: a condition is unknown or contradicts another, or the size or seed is out of range.
    """

    seed: int
    width: int = 640
    height: int = 360
    conditions: tuple[str, ...] = ()
    people: bool = False

    def __post_init__(self) -> None:
        check_conditions(self.conditions, people=self.people)
        if self.width < _MIN_WIDTH or self.height < _MIN_HEIGHT:
            raise InputError(
                f"scenes of {self.width}x{self.height} pixels are too small; ask for {_MIN_WIDTH}x{_MIN_HEIGHT} or more"
            )
        if self.seed < 0:
            raise InputError(f"the seed must be >= 0, not {self.seed}")

    def plan(self, index: int) -> Plan:
        """Return what scene `index` >= 0 is made of."""
        sample = sample_people_plan if self.people else sample_plan
        return sample(self.seed, index, self.width, self.height, self.conditions)

    def scene(self, index: int) -> Scene:
        """Return scene number `index` >= 0."""
        plan = self.plan(index)
        taken = render(plan)
        return Scene(taken.frame, plan.lanes, plan.conditions.tags, taken.objects, taken.masks)
