"""One person of a scene: where, how held, how built, how dressed."""

from dataclasses import dataclass

from edgecnn.data.road.people.cycles import Cycle
from edgecnn.data.road.people.loads import Load
from edgecnn.data.road.people.measures import Measures
from edgecnn.data.road.people.outfit import Outfit
from edgecnn.data.road.people.pose import POSES, Pose

KINDS = ("pedestrian", "rider", "sitting person")
ACTIONS = tuple(POSES)


@dataclass(frozen=True, slots=True)
class Person:
    """One person on or beside the road.

    Attributes:
        kind: one of KINDS, the label's name.
        along, offset: metres along the road and to the right of its reference line: the point below the hips.
        heading_rad: where the person faces; 0 is away from the camera along the road, positive to the right.
        up_m: height of the ground below the feet (a kerb), and of a seat's feet.
        loads: what is carried, pushed or sat on.
        cycle: what a rider rides.
    """

    kind: str
    along: float
    offset: float
    heading_rad: float
    up_m: float
    measures: Measures
    pose: Pose
    outfit: Outfit
    loads: tuple[Load, ...] = ()
    cycle: Cycle | None = None

    @property
    def stature_m(self) -> float:
        """Barefoot height when upright."""
        return self.measures.stature

    @property
    def room_m(self) -> float:
        """Radius around the place that the person and what goes with them take up."""
        names = self.carried
        return 1.1 if self.cycle or "pram" in names or "bench" in names else 0.75 if "trolley" in names else 0.45

    @property
    def carried(self) -> tuple[str, ...]:
        """Names of what is carried, pushed or sat on."""
        return tuple(load.name for load in self.loads)
