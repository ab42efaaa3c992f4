"""Kinds of values that the tables of a site file share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Table(BaseModel):
    """A table of the site file: closed, so that a typing error cannot go unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
"""No ampere, kilowatt or second of a depot is near that bound; beyond it, sums would overflow."""

WholeSeconds = Annotated[float, Field(ge=1, allow_inf_nan=False)]
"""Chargers take whole seconds, and read 0 as "never"."""

PhaseName = Literal["L1", "L2", "L3"]
