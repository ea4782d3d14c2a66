"""A body's measures: how long, wide and deep its parts are, from small children to heavy adults."""

from dataclasses import dataclass

import numpy as np

# Shares of stature after Drillis and Contini, "Body segment parameters" (1966), for adults.
_ADULT_HEAD, _ADULT_HIP = 0.130, 0.520


@dataclass(frozen=True, slots=True)
class Measures:
    """Lengths in metres.

    Attributes:
        stature: barefoot height.
        head: chin to crown.
        hip: height of the hip joints.
        shoulder: half the breadth between the shoulder joints.
        pelvis: half the breadth of the hips.
        chest, waist: half breadths of the trunk.
        depth: half depth of the chest.
        belly: how far the belly stands out beyond the chest.
        bust: how far the bust stands out.
        limb: girth of arms and legs as a factor of the usual.
    """

    stature: float
    head: float
    hip: float
    shoulder: float
    pelvis: float
    chest: float
    waist: float
    depth: float
    belly: float
    bust: float
    limb: float

    @property
    def thigh(self) -> float:
        """Hip to knee."""
        return (self.hip - self.ankle) * 0.50

    @property
    def shin(self) -> float:
        """Knee to ankle."""
        return (self.hip - self.ankle) * 0.50

    @property
    def ankle(self) -> float:
        """Height of the ankle."""
        return 0.043 * self.stature

    @property
    def foot(self) -> float:
        """Length of the foot."""
        return 0.150 * self.stature

    @property
    def upper_arm(self) -> float:
        """Shoulder to elbow."""
        return 0.172 * self.stature

    @property
    def forearm(self) -> float:
        """Elbow to wrist."""
        return 0.146 * self.stature

    @property
    def hand(self) -> float:
        """Wrist to finger tips."""
        return 0.102 * self.stature

    @property
    def trunk(self) -> float:
        """Hip joints to shoulder joints."""
        return self.stature - self.head - self.hip - 0.052 * self.stature


def sample_measures(rng: np.random.Generator, *, child: bool, feminine: bool) -> Measures:
    """Return a random body; children have larger heads and shorter legs the smaller they are."""
    if child:
        stature = float(rng.uniform(0.95, 1.5))
    else:
        mean, spread = (1.64, 0.07) if feminine else (1.77, 0.075)
        stature = float(np.clip(rng.normal(mean, spread), 1.42, 2.03))
    young = float(np.clip((1.60 - stature) / 0.75, 0, 1)) if child else 0.0
    head = stature * (_ADULT_HEAD + 0.055 * young) * float(np.exp(rng.normal(0, 0.035)))
    hip = stature * (_ADULT_HIP - 0.055 * young + float(rng.normal(0, 0.009)))
    girth = float(np.clip(np.exp(rng.normal(0.02, 0.13)), 0.8, 1.5))
    broad = 0.107 if feminine else 0.118
    wide = stature * girth**0.5
    return Measures(
        stature=stature,
        head=head,
        hip=hip,
        shoulder=stature * (broad - 0.006 * young) * girth**0.35 * float(np.exp(rng.normal(0, 0.03))),
        pelvis=wide * (0.104 if feminine else 0.097) * float(np.exp(rng.normal(0, 0.04))),
        chest=wide * (0.088 if feminine else 0.096),
        waist=stature * girth * (0.076 if feminine else 0.086) * (1 + 0.12 * young),
        depth=wide * 0.065 * (1 + 0.05 * young),
        belly=stature * max(0.0, float(rng.normal(0.004, 0.012)) + 0.10 * max(0.0, girth - 1.02)),
        bust=stature * float(rng.uniform(0.004, 0.024)) * girth if feminine and not child else 0.0,
        limb=girth**0.7 * (0.92 if feminine else 1.0) * (1 + 0.08 * young),
    )
