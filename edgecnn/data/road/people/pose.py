"""How a body is held: the angles of its joints, and a library of natural poses."""

from dataclasses import dataclass, replace

import numpy as np

# Joint angles of level walking over one cycle in degrees, from heel strike to heel strike of the same foot: hip
# flexion, knee flexion, and the foot's pitch over the ground (toes up is positive), after Winter, "Biomechanics and
# Motor Control of Human Movement".
_PHASE = np.array([0.0, 0.08, 0.15, 0.25, 0.35, 0.45, 0.52, 0.58, 0.64, 0.72, 0.8, 0.88, 0.95, 1.0])
_HIP = np.array([28, 24, 18, 9, 0, -8, -12, -8, 4, 18, 27, 31, 30, 28.0])
_KNEE = np.array([4, 13, 17, 12, 6, 5, 10, 26, 48, 62, 50, 22, 4, 4.0])
_FOOT = np.array([18, 3, 0, 0, 0, -8, -24, -46, -60, -44, -14, 6, 18, 18.0])


@dataclass(frozen=True, slots=True)
class Leg:
    """Radians: hip flexion, abduction and outward turn, knee flexion, the foot's pitch over the ground (toes up)."""

    hip: float = 0.0
    spread: float = 0.03
    out: float = 0.1
    knee: float = 0.03
    foot: float = 0.0


@dataclass(frozen=True, slots=True)
class Arm:
    """Radians: shoulder flexion, abduction, inward twist of the upper arm, elbow flexion."""

    flex: float = 0.0
    spread: float = 0.12
    twist: float = 0.15
    elbow: float = 0.2


@dataclass(frozen=True, slots=True)
class Pose:
    """Joint angles in radians; of pairs, the left limb comes first.

    Attributes:
        lean: of the trunk forward; side: of the trunk to the right.
        pelvis_tilt: of the pelvis, top back; twist: of the shoulders to the right.
        nod: of the head down, against the vertical; look: of the head to the right, against the pelvis; tilt: sideways.
        lift_m: height of the lowest point above the ground.
        seat: whether the body rests on a seat instead of its feet.
    """

    name: str
    legs: tuple[Leg, Leg]
    arms: tuple[Arm, Arm]
    lean: float = 0.03
    side: float = 0.0
    pelvis_tilt: float = 0.0
    twist: float = 0.0
    nod: float = 0.05
    look: float = 0.0
    tilt: float = 0.0
    lift_m: float = 0.0
    seat: bool = False


def sample_pose(rng: np.random.Generator, action: str) -> Pose:
    """Return a random pose of this action; raises KeyError for an action that is not in POSES."""
    pose = POSES[action](rng)
    look = float(np.clip(rng.normal(0, 0.35), -1.0, 1.0)) if rng.random() < 0.6 else 0.0
    return replace(
        pose,
        look=pose.look + look,
        nod=pose.nod + float(rng.normal(0, 0.08)),
        tilt=float(rng.normal(0, 0.05)),
    )


def _walk_leg(phase: float, stride: float) -> Leg:
    at = phase % 1.0
    hip, knee, foot = (float(np.interp(at, _PHASE, np.radians(table))) for table in (_HIP, _KNEE, _FOOT))
    return Leg(hip * stride, 0.02, 0.1, knee * (0.5 + 0.5 * stride), foot * stride)


def _swing(phase: float, reach: float, elbow: float) -> Arm:
    forward = -float(np.cos(2 * np.pi * phase)) * reach
    return Arm(forward + 0.03, 0.13, 0.2, elbow + 0.35 * max(0.0, forward))


def _walking(rng: np.random.Generator) -> Pose:
    phase, stride, reach = float(rng.random()), float(rng.uniform(0.75, 1.15)), float(rng.uniform(0.15, 0.5))
    elbow = float(rng.uniform(0.15, 0.45))
    return Pose(
        "walking",
        (_walk_leg(phase, stride), _walk_leg(phase + 0.5, stride)),
        (_swing(phase, reach, elbow), _swing(phase + 0.5, reach, elbow)),
        lean=float(rng.normal(0.05, 0.03)),
        twist=float(np.cos(2 * np.pi * phase)) * 0.12,
    )


def _running(rng: np.random.Generator) -> Pose:
    phase = float(rng.random())

    def leg(at: float) -> Leg:
        base = _walk_leg(at, 1.5)
        return replace(base, knee=base.knee * 1.35 + 0.3, hip=base.hip + 0.15, foot=base.foot - 0.1)

    def arm(at: float) -> Arm:
        swing = -float(np.cos(2 * np.pi * at))
        return Arm(swing * 0.75 - 0.1, 0.2, 0.35, 1.5 + 0.25 * swing)

    return Pose(
        "running",
        (leg(phase), leg(phase + 0.5)),
        (arm(phase), arm(phase + 0.5)),
        lean=float(rng.uniform(0.1, 0.25)),
        twist=float(np.cos(2 * np.pi * phase)) * 0.25,
        lift_m=float(rng.uniform(0.0, 0.07)),
    )


def _loose_arm(rng: np.random.Generator) -> Arm:
    """Return an arm at rest: hanging, in a pocket, on the hip, bent before the body, behind it."""
    draw = rng.random()
    if draw < 0.62:
        return Arm(float(rng.normal(0.05, 0.1)), float(rng.uniform(0.06, 0.22)), 0.2, float(rng.uniform(0.1, 0.4)))
    if draw < 0.82:
        return Arm(-0.25, 0.3, 0.5, float(rng.uniform(0.75, 1.0)))
    if draw < 0.88:
        return Arm(-0.35, 0.75, 0.9, 1.75)
    if draw < 0.96:
        return Arm(float(rng.uniform(0.1, 0.4)), 0.15, float(rng.uniform(0.3, 0.9)), float(rng.uniform(1.2, 1.9)))
    return Arm(-0.6, 0.2, 1.3, 1.0)


def _standing(rng: np.random.Generator) -> Pose:
    weight = float(rng.normal(0, 0.06))
    apart = float(rng.uniform(0.0, 0.18))
    rest = Leg(float(rng.uniform(0.05, 0.25)), apart + 0.05, float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.1, 0.4)))
    stand = Leg(float(rng.normal(0, 0.02)), apart, float(rng.uniform(0.05, 0.35)), 0.03)
    legs = (stand, rest) if rng.random() < 0.5 else (rest, stand)
    if rng.random() < 0.35:
        legs = (stand, stand)
    arms = (_loose_arm(rng), _loose_arm(rng))
    if rng.random() < 0.1:
        # Arms crossed before the chest.
        arms = (Arm(0.35, 0.1, 1.25, 1.75), Arm(0.30, 0.1, 1.25, 1.65))
    return Pose(
        "standing", legs, arms, lean=float(rng.normal(0.02, 0.04)), side=weight, twist=float(rng.normal(0, 0.1))
    )


def _waiting(rng: np.random.Generator) -> Pose:
    pose = _standing(rng)
    return replace(pose, name="waiting", look=float(rng.uniform(-1.1, 1.1)), twist=float(rng.normal(0, 0.2)))


def _phone(rng: np.random.Generator) -> Pose:
    pose = _standing(rng) if rng.random() < 0.6 else _walking(rng)
    hold = Arm(float(rng.uniform(0.2, 0.5)), 0.08, float(rng.uniform(0.5, 0.8)), float(rng.uniform(1.6, 2.0)))
    left, right = pose.arms
    arms = (hold, hold) if rng.random() < 0.35 else (left, hold) if rng.random() < 0.7 else (hold, right)
    return replace(pose, name="phone", arms=arms, nod=float(rng.uniform(0.35, 0.75)))


def _calling(rng: np.random.Generator) -> Pose:
    pose = _standing(rng) if rng.random() < 0.5 else _walking(rng)
    ear = Arm(0.35, 0.45, 0.15, 2.45)
    left, right = pose.arms
    arms = (left, ear) if rng.random() < 0.7 else (ear, right)
    return replace(pose, name="calling", arms=arms)


def _pointing(rng: np.random.Generator) -> Pose:
    pose = _standing(rng)
    out = Arm(float(rng.uniform(0.7, 1.9)), float(rng.uniform(0.0, 0.9)), 0.0, float(rng.uniform(0.0, 0.7)))
    left, right = pose.arms
    arms = (out, out) if rng.random() < 0.25 else (left, out) if rng.random() < 0.6 else (out, right)
    return replace(pose, name="reaching", arms=arms)


def _sitting(rng: np.random.Generator) -> Pose:
    hip, knee = float(rng.uniform(1.35, 1.6)), float(rng.uniform(1.3, 1.75))
    apart = float(rng.uniform(0.05, 0.3))
    leg = Leg(hip, apart, 0.05, knee)
    other = replace(leg, knee=knee + float(rng.normal(0, 0.2)))
    if rng.random() < 0.2:
        other = Leg(hip + 0.25, -0.08, -0.1, knee - 0.35, -0.5)
    rest = Arm(float(rng.uniform(0.3, 0.6)), float(rng.uniform(0.1, 0.3)), float(rng.uniform(0.2, 0.6)), 1.0)
    hold = Arm(0.45, 0.1, 0.6, 1.75)
    arms = (rest, rest) if rng.random() < 0.6 else (hold, hold) if rng.random() < 0.5 else (rest, hold)
    lean = float(rng.uniform(-0.15, 0.35))
    return Pose("sitting", (leg, other), arms, lean=lean, pelvis_tilt=0.2, nod=0.1 + 0.3 * max(0.0, lean), seat=True)


def _riding(rng: np.random.Generator) -> Pose:
    """Return a rider's trunk; hands and feet go where the machine has them."""
    lean = float(rng.uniform(0.05, 0.75))
    return Pose("riding", (Leg(), Leg()), (Arm(), Arm()), lean=lean, pelvis_tilt=-0.4 * lean, nod=0.15, seat=True)


def _crouching(rng: np.random.Generator) -> Pose:
    if rng.random() < 0.5:
        # On one knee.
        front, back = Leg(1.5, 0.15, 0.1, 1.6), Leg(0.0, 0.1, 0.05, 1.75, -1.25)
        legs = (front, back) if rng.random() < 0.5 else (back, front)
        lean = float(rng.uniform(0.05, 0.5))
    else:
        deep = float(rng.uniform(0.0, 0.25))
        leg = Leg(2.0 - deep, 0.3, 0.35, 2.4 - 0.8 * deep, -0.25)
        legs, lean = (leg, leg), float(rng.uniform(0.4, 0.7))
    arm = Arm(float(rng.uniform(0.6, 1.1)), 0.15, 0.25, float(rng.uniform(0.4, 1.3)))
    other = replace(arm, flex=arm.flex + float(rng.normal(0, 0.25)))
    return Pose("crouching", legs, (arm, other), lean=lean, nod=0.3)


def _bending(rng: np.random.Generator) -> Pose:
    lean = float(rng.uniform(0.5, 1.1))
    leg = Leg(float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.05, 0.35)), 0.2, float(rng.uniform(0.1, 0.8)))
    arm = Arm(float(rng.uniform(0.4, 1.0)), 0.15, 0.2, float(rng.uniform(0.1, 0.9)))
    return Pose("bending", (leg, leg), (arm, replace(arm, elbow=arm.elbow + 0.3)), lean=lean, nod=0.5 * lean)


POSES = {
    "walking": _walking,
    "standing": _standing,
    "waiting": _waiting,
    "phone": _phone,
    "calling": _calling,
    "reaching": _pointing,
    "running": _running,
    "sitting": _sitting,
    "crouching": _crouching,
    "bending": _bending,
    "riding": _riding,
}
