"""What a person wears, and the colours of skin and hair."""

from dataclasses import dataclass

import numpy as np

from edgecnn.data.road.people.paints import Color, Mark

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
_HAIR_RATES = (0.3, 0.2, 0.2, 0.1, 0.07, 0.03, 0.07, 0.03)
CLOTH = (
    ((28, 26, 26), 0.2), ((52, 48, 46), 0.1), ((105, 102, 100), 0.09), ((168, 168, 166), 0.06), ((226, 226, 224), 0.12),
    ((78, 48, 32), 0.1), ((140, 92, 58), 0.05), ((196, 160, 120), 0.03), ((48, 40, 140), 0.06), ((40, 50, 190), 0.03),
    ((62, 96, 58), 0.04), ((52, 70, 78), 0.04), ((110, 150, 176), 0.04), ((60, 150, 205), 0.02), ((70, 90, 120), 0.03),
    ((150, 110, 205), 0.02), ((120, 50, 110), 0.02),
)  # fmt: skip
_TROUSERS = (
    ((28, 26, 26), 0.26), ((60, 46, 36), 0.18), ((108, 80, 58), 0.16), ((150, 122, 98), 0.06), ((70, 68, 66), 0.12),
    ((120, 146, 168), 0.09), ((60, 78, 84), 0.05), ((215, 218, 220), 0.04), ((50, 66, 90), 0.04),
)  # fmt: skip
_HI_VIS = ((40, 235, 215), (30, 120, 245))


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


def pick(rng: np.random.Generator, table: tuple[tuple[tuple[int, int, int], float], ...]) -> Color:
    """Return one of the table's colours by its weight, a little off."""
    rates = np.array([rate for _, rate in table])
    b, g, r = table[int(rng.choice(len(table), p=rates / rates.sum()))][0]
    tone, cast = float(np.exp(rng.normal(0, 0.15))), rng.normal(0, 4, 3)
    return tuple(float(np.clip(c * tone + d, 8, 245)) for c, d in zip((b, g, r), cast, strict=True))  # type: ignore[return-value]


def vivid(rng: np.random.Generator) -> Color:
    """Return any saturated colour."""
    hue = rng.uniform(0, 6)
    value, pale = rng.uniform(70, 215), rng.uniform(0.2, 0.75)
    level = np.clip(np.abs((hue + np.array([4.0, 2.0, 0.0])) % 6 - 3) - 1, 0, 1)
    blue, green, red = (value * (pale + (1 - pale) * level)).tolist()
    return blue, green, red


def sample_outfit(rng: np.random.Generator, *, child: bool, feminine: bool, rider: bool) -> Outfit:
    """Return random clothes; skirts, long hair and beards go by `feminine`, helmets by `rider`."""
    top = _top(rng, feminine=feminine)
    legs = str(
        rng.choice(
            ["trousers", "shorts", "skirt", "tights"], p=[0.66, 0.14, 0.12, 0.08] if feminine else [0.82, 0.18, 0, 0]
        )
    )
    if rider and legs == "skirt":
        legs = "trousers"
    color = vivid(rng) if rng.random() < (0.35 if child else 0.16) else pick(rng, CLOTH)
    if top == "vest":
        color = _shade(_HI_VIS[int(rng.random() < 0.35)], rng)
    marks, sleeve_marks = _pattern(rng, top)
    hair, hat = _hair(rng, feminine=feminine, child=child), _hat(rng, top, rider=rider, feminine=feminine)
    skin = _SKINS[int(np.clip(rng.beta(1.0, 1.35) * len(_SKINS), 0, len(_SKINS) - 1))]
    hair_pick = _HAIRS[int(rng.choice(len(_HAIRS), p=_HAIR_RATES))] if skin[2] > 150 else _HAIRS[int(rng.integers(2))]
    long_sleeve = top in ("jacket", "coat", "jumper", "vest") or rng.random() < 0.4
    trousers = pick(rng, _TROUSERS) if rng.random() < 0.93 else vivid(rng)
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
        sleeve=float(rng.uniform(0.94, 1.02))
        if long_sleeve
        else float(rng.choice([0.2, 0.34, 0.42], p=[0.15, 0.45, 0.4])),
        bulk_m={
            "t-shirt": 0.008,
            "shirt": 0.01,
            "jumper": 0.016,
            "jacket": 0.024,
            "coat": 0.028,
            "dress": 0.006,
            "vest": 0.024,
        }[top]
        * float(rng.uniform(0.7, 1.5)),
        legs=legs,
        leg_color=trousers,
        leg_marks=_leg_marks(rng, legs, trousers),
        wide_m=float(rng.uniform(0.002, 0.028)) * (0.4 if feminine else 1.0)
        if legs == "trousers"
        else float(rng.uniform(0.01, 0.03)),
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


def _top(rng: np.random.Generator, *, feminine: bool) -> str:
    names = ["t-shirt", "shirt", "jumper", "jacket", "coat", "dress", "vest"]
    rates = [0.25, 0.12, 0.15, 0.24, 0.12, 0.1, 0.02] if feminine else [0.28, 0.15, 0.165, 0.27, 0.1, 0.0, 0.035]
    return str(rng.choice(names, p=rates))


def _pattern(rng: np.random.Generator, top: str) -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
    """Return marks of trunk and sleeves."""
    other = pick(rng, CLOTH) if rng.random() < 0.6 else vivid(rng)
    if top == "vest":
        return _reflectors()
    if top in ("jacket", "coat"):
        width = float(rng.choice([0.004, 0.02, 0.05], p=[0.5, 0.25, 0.25]))
        low = 0.0 if top == "jacket" else 0.35
        return (Mark(other, (low, 0.92), (0.5 - width, 0.5 + width), strength=0.9),), ()
    draw = rng.random()
    if draw < 0.5:
        return (), ()
    if draw < 0.78:
        cloth = _woven(rng, other)
        return cloth, cloth
    if draw < 0.93:
        low, half = float(rng.uniform(0.45, 0.6)), float(rng.uniform(0.05, 0.12))
        shape = "round" if rng.random() < 0.4 else "block"
        return (Mark(other, (low, low + float(rng.uniform(0.05, 0.2))), (0.5 - half, 0.5 + half), shape),), ()
    return (Mark(other, (0.0, float(rng.uniform(0.3, 0.6)))),), (Mark(other),)


def _reflectors() -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
    silver = (225.0, 228.0, 226.0)
    bands = (Mark(silver, (0.22, 0.28)), Mark(silver, (0.42, 0.48)))
    straps = (Mark(silver, (0.48, 1.0), (0.36, 0.40)), Mark(silver, (0.48, 1.0), (0.6, 0.64)))
    return (*bands, *straps), (Mark(silver, (0.6, 0.66)),)


def _woven(rng: np.random.Generator, other: Color) -> tuple[Mark, ...]:
    """Return stripes, checks or dots."""
    draw = rng.random()
    if draw < 0.45:
        return (Mark(other, shape="rings", count=float(rng.integers(5, 16)), share=float(rng.uniform(0.15, 0.5))),)
    if draw < 0.72:
        sizes = (("rings", 10.0), ("bars", 16.0))
        return tuple(Mark(other, shape=shape, count=count, share=0.3, strength=0.5) for shape, count in sizes)
    return (Mark(other, shape="dots", count=float(rng.integers(6, 14)), share=float(rng.uniform(0.3, 0.6))),)


def _leg_marks(rng: np.random.Generator, legs: str, color: Color) -> tuple[Mark, ...]:
    if legs == "trousers" and rng.random() < 0.08:
        stripe = (228.0, 228.0, 228.0)
        return (Mark(stripe, (0.0, 1.0), (0.72, 0.78)), Mark(stripe, (0.0, 1.0), (0.22, 0.28)))
    if color[0] > color[2] * 1.3 and rng.random() < 0.5:
        # Jeans are worn pale over the thighs.
        pale = (color[0] * 1.35, color[1] * 1.35, color[2] * 1.35)
        return (Mark(pale, (0.1, 0.5), (0.3, 0.7), "round", strength=0.6),)
    return ()


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
