"""Numbers of a recipe with their bounds."""

from typing import Annotated, TypeAlias

import msgspec

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
CountOrNone: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
Seed: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
# The upper bounds keep out infinity, which YAML can spell.
Positive: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
NotNegative: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Strength: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=2)]
Fraction: TypeAlias = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Share: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=1)]
Factor: TypeAlias = Annotated[float, msgspec.Meta(gt=1, le=1000)]
