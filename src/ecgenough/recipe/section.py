"""What every part of a recipe has in common, and the kinds of numbers in it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0), "s"]  # the text is the unit, for docs/recipes.md
Hertz = Annotated[float, Field(gt=0), "Hz"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
# what NumPy and scikit-learn take; an epoch's is a million times as large
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Order = Annotated[int, Field(ge=1, le=12)]  # of a filter: beyond it the coefficients are no longer exact


class Section(BaseModel):
    """A part of a recipe: frozen, no key that is not known, no number that is not finite.

    The text under a key tells what it is; the page of every recipe key is made from these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
