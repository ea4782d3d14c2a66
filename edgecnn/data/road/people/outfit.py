"""What a person wears, and the colours of skin and hair."""

from dataclasses import dataclass

import numpy as np

from edgecnn.data.road.people.paints import Color, Mark
from edgecnn.data.road.people.patterns import CLOTH, HI_VIS, TROUSERS, mark_legs, mark_top, pick, vivid

# BGR albedo from the palest to the darkest skin.
_SKINS = (
    (165, 187, 228), (145, 172, 218), (122, 152, 204), (98, 132, 186), (76, 108, 162), (56, 82, 130), (42, 60, 98),
    (34, 46, 74),
)  # fmt: skip
_HAIRS = (
    (24, 22, 22),
    (30, 34, 42),
    (38, 54, 78),
    (58, 86, 122),
    (96, 146, 186),
    (46, 70, 140),
    (150, 152, 156),
    (205, 206, 208),
)
_BULK_M = {
    "t-shirt": 0.008, "shirt": 0.01, "jumper": 0.016, "jacket": 0.024, "coat": 0.028, "dress": 0.006, "vest": 0.024,
}  # fmt: skip
_HAIR_RATES = (0.3, 0.2, 0.2, 0.1, 0.07, 0.03, 0.07, 0.03)


@dataclass(frozen=True, slots=True)
class Outfit:
    """Clothes; colours are BGR albedo, 0 to 255.

    Attributes:
        top: "t-shirt", "shirt", "jumper", "jacket", "coat", "dress", "vest".
        legs: "trousers", "shorts", "skirt", "tights".
        sleeve: how far sleeves reach, 0.25 to 1 (the wrist); hem: how far skirts and coats reach, 0.5 the knees.
        bulk_m: thickness of what is worn on top; wide_m: room in the legs of trousers.
        hair: "bald", "cropped", "short", "medium", "long", "tied", "afro"; hair_m: its length in heads.
        beard, glasses: opacities.
        bare: chance of bare legs, 0 to 1; neckline: "", "round", "v", "collar".
        hat: "", "cap", "beanie", "hat", "hood", "scarf", "helmet".
    """

    skin: Color
    hair: str
    hair_color: Color
    hair_m: float
    beard: float
    glasses: float
    hat: str
    hat_color: Color
    hat_turn: float
    top: str
    top_color: Color
    top_marks: tuple[Mark, ...]
    sleeve_marks: tuple[Mark, ...]
    sleeve: float
    bulk_m: float
    legs: str
    leg_color: Color
    leg_marks: tuple[Mark, ...]
    wide_m: float
    hem: float
    flare_m: float
    waist: float
    shoe_color: Color
    sole_color: Color
    bare: float
    neckline: str
    grain: int


def sample_outfit(rng: np.random.Generator, *, child: bool, feminine: bool, rider: bool) -> Outfit:
    """Return random clothes; skirts, long hair and beards go by `feminine`, helmets by `rider`."""
    top = _top(rng, feminine=feminine)
    legs = _legs(rng, feminine=feminine)
    if rider and legs == "skirt":
        legs = "trousers"
    color = vivid(rng) if rng.random() < (0.35 if child else 0.16) else pick(rng, CLOTH)
    if top == "vest":
        color = _shade(HI_VIS[int(rng.random() < 0.35)], rng)
    marks, sleeve_marks = mark_top(rng, top)
    hair, hat = _hair(rng, feminine=feminine, child=child), _hat(rng, top, rider=rider, feminine=feminine)
    skin = _SKINS[int(np.clip(rng.beta(1.0, 1.35) * len(_SKINS), 0, len(_SKINS) - 1))]
    hair_pick = _HAIRS[int(rng.choice(len(_HAIRS), p=_HAIR_RATES))] if skin[2] > 150 else _HAIRS[int(rng.integers(2))]
    trousers = pick(rng, TROUSERS) if rng.random() < 0.93 else vivid(rng)
    return Outfit(
        skin=_shade(skin, rng),
        hair=hair,
        hair_color=_shade(hair_pick, rng),
        hair_m=float(rng.uniform(0.8, 2.0)),
        beard=float(rng.uniform(0.3, 0.9)) if not feminine and not child and rng.random() < 0.3 else 0.0,
        glasses=float(rng.choice([0.35, 0.95])) if rng.random() < (0.05 if child else 0.2) else 0.0,
        hat=hat,
        hat_color=color if hat == "hood" else vivid(rng) if rng.random() < 0.3 else pick(rng, CLOTH),
        hat_turn=float(rng.choice([0.0, np.pi], p=[0.85, 0.15])),
        top=top,
        top_color=color,
        top_marks=marks,
        sleeve_marks=sleeve_marks,
        sleeve=_sleeve(rng, top),
        bulk_m=_BULK_M[top] * float(rng.uniform(0.7, 1.5)),
        legs=legs,
        leg_color=trousers,
        leg_marks=mark_legs(rng, legs, trousers),
        wide_m=_room(rng, legs, feminine=feminine),
        hem=float(rng.uniform(0.3, 0.95)) if top == "dress" or legs == "skirt" else float(rng.uniform(0.25, 0.7)),
        flare_m=float(rng.uniform(0.0, 0.12)) if top == "dress" or legs == "skirt" else float(rng.uniform(0.0, 0.04)),
        waist=float(rng.choice([0.16, -0.02, -0.14], p=[0.2, 0.4, 0.4])),
        shoe_color=_shoes(rng, skin),
        sole_color=(215.0, 218.0, 220.0) if rng.random() < 0.4 else (26.0, 26.0, 28.0),
        bare=float(rng.random()),
        neckline=_neckline(rng, top, feminine=feminine),
        grain=int(rng.integers(1, 400)),
    )


def _shade(color: tuple[int, int, int], rng: np.random.Generator) -> Color:
    tone = float(np.exp(rng.normal(0, 0.08)))
    return color[0] * tone, color[1] * tone, color[2] * tone


def _legs(rng: np.random.Generator, *, feminine: bool) -> str:
    names = ["trousers", "shorts", "skirt", "tights"]
    return str(rng.choice(names, p=[0.66, 0.14, 0.12, 0.08] if feminine else [0.82, 0.18, 0.0, 0.0]))


def _sleeve(rng: np.random.Generator, top: str) -> float:
    if top in ("jacket", "coat", "jumper", "vest") or rng.random() < 0.4:
        return float(rng.uniform(0.94, 1.02))
    return float(rng.choice([0.2, 0.34, 0.42], p=[0.15, 0.45, 0.4]))


def _room(rng: np.random.Generator, legs: str, *, feminine: bool) -> float:
    if legs == "trousers":
        return float(rng.uniform(0.002, 0.028)) * (0.4 if feminine else 1.0)
    return float(rng.uniform(0.01, 0.03))


def _top(rng: np.random.Generator, *, feminine: bool) -> str:
    names = ["t-shirt", "shirt", "jumper", "jacket", "coat", "dress", "vest"]
    rates = [0.25, 0.12, 0.15, 0.24, 0.12, 0.1, 0.02] if feminine else [0.28, 0.15, 0.165, 0.27, 0.1, 0.0, 0.035]
    return str(rng.choice(names, p=rates))


def _hair(rng: np.random.Generator, *, feminine: bool, child: bool) -> str:
    if feminine:
        return str(rng.choice(["long", "tied", "medium", "short", "afro"], p=[0.4, 0.26, 0.2, 0.1, 0.04]))
    bald = 0.0 if child else 0.1
    return str(
        rng.choice(
            ["bald", "cropped", "short", "medium", "afro"], p=[bald, 0.3 - bald / 2, 0.58 - bald / 2, 0.08, 0.04]
        )
    )


def _hat(rng: np.random.Generator, top: str, *, rider: bool, feminine: bool) -> str:
    if rider:
        return "helmet" if rng.random() < 0.6 else ""
    if top == "vest" and rng.random() < 0.5:
        return "helmet"
    if top in ("jacket", "jumper", "coat") and rng.random() < 0.1:
        return "hood"
    if rng.random() < 0.72:
        return ""
    names = ["cap", "beanie", "hat", "scarf"]
    return str(rng.choice(names, p=[0.3, 0.3, 0.15, 0.25] if feminine else [0.5, 0.35, 0.15, 0.0]))


def _neckline(rng: np.random.Generator, top: str, *, feminine: bool) -> str:
    if top in ("t-shirt", "dress"):
        return str(rng.choice(["", "round", "v"], p=[0.25, 0.45, 0.3] if feminine else [0.5, 0.4, 0.1]))
    return "collar" if rng.random() < (0.3 if top == "jumper" else 0.75) else ""


def _shoes(rng: np.random.Generator, skin: tuple[int, int, int]) -> Color:
    """Return the colour of shoes; a few people go barefoot or in sandals."""
    draw = rng.random()
    if draw < 0.05:
        return _shade(skin, rng)
    if draw < 0.27:
        return 225.0, 225.0, 225.0
    if draw < 0.37:
        return vivid(rng)
    return (34.0, 34.0, 38.0) if draw < 0.8 else (50.0, 74.0, 110.0)
