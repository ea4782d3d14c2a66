"""People for the road generator: articulated bodies in clothes, drawn from a skeleton as any camera sees them."""

from edgecnn.data.road.people.draw import Painted, draw_person, outline
from edgecnn.data.road.people.person import ACTIONS, KINDS, Person
from edgecnn.data.road.people.sample import sample_person

__all__ = ["ACTIONS", "KINDS", "Painted", "Person", "draw_person", "outline", "sample_person"]
