"""What a set-up is: a TOML file, checked field by field."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, TypeAdapter, ValidationError, model_validator

from twin_core.errors import ConfigurationError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Hourly = Annotated[tuple[NotNegative, ...], Field(min_length=24, max_length=24)]
DAY_H = 24.0


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Prices(_Table):
    """Which days of the price history the hourly means are taken of; all of them where an end is open."""

    first: date | None = None
    last: date | None = None


class Published(_Table):
    """What the thesis gives for this set-up."""

    optimal_eur: Positive
    fifs_eur: Positive

    @property
    def ratio(self) -> float:
        """Cost of the optimum over that of FIFS."""
        return self.optimal_eur / self.fifs_eur


class Group(_Table):
    """Cars that behave alike.

    Attributes:
        arrival_beta: shape of the Beta distribution of arrivals over the day.
        stay_mean_h: of the normal distribution of stays; a draw below a step counts as a step.
        demand_beta: shape of the Beta distribution of the part of `max_kw` times the stay that a car wants.
    """

    cars: Annotated[int, Field(ge=1, le=5000)]
    arrival_beta: tuple[Positive, Positive]
    stay_mean_h: Positive
    stay_sd_h: NotNegative
    demand_beta: tuple[Positive, Positive]


class Carbon(_Table):
    """What carbon weighs.

    Attributes:
        hourly_g_per_kwh: intensity of grid power in each hour of the day.
        price_eur_per_t: C₀ of the thesis.
        weight: its λ, which multiplies the carbon price.
        pareto: weights of the trade-off figure.
    """

    hourly_g_per_kwh: Hourly
    price_eur_per_t: Positive
    weight: NotNegative
    pareto: tuple[NotNegative, ...] = (0.0, 1.0, 3.0, 9.0, 30.0, 100.0)


class _SetUp(_Table):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
    title: Annotated[str, Field(min_length=1, max_length=120)]
    steps: Annotated[int, Field(ge=24, le=1440)]
    cap_kw: Positive
    max_kw: Positive
    prices: Prices = Prices()
    published: Published | None = None
    assumptions: tuple[str, ...] = ()

    @property
    def step_h(self) -> float:
        """Length of a step in hours: a day has `steps` of them."""
        return DAY_H / self.steps


class _OfCars(_SetUp):
    groups: Annotated[tuple[Group, ...], Field(min_length=1)]
    whole_steps: bool = False
    """Arrivals and departures at the start of a step, as the thesis' floor; else at any moment."""


class PowerAllocationSetUp(_OfCars):
    """Model 3.1: a kWh not delivered costs γ, whatever the price of energy is."""

    model: Literal["power_allocation"]
    shortfall_eur_per_kwh: NotNegative


class EmissionSetUp(_OfCars):
    """Model 3.2: everybody is served as far as the limits let it; energy costs its price and λ times its carbon."""

    model: Literal["emission_co2"]
    carbon: Carbon


class Peak(_Table):
    """A peak of arrivals, in the shape of a normal distribution."""

    hour: Annotated[float, Field(ge=0, le=24)]
    cars_per_h: Positive
    width_h: Positive


class CohortSetUp(_SetUp):
    """Model 3.3: classes of cars by what they still want.

    Attributes:
        classes: n; class i wants i times `max_kw` for one step.
        waiting_eur: γ, for each car in a class above 0 and each step; the thesis gives it no unit.
        dynamics: `literal` x⁺ = A·x + a + B·c, or `charge_then_depart` x⁺ = A·(x + B·c) + a.
    """

    model: Literal["cohort"]
    classes: Annotated[int, Field(ge=1, le=50)]
    waiting_eur: NotNegative
    base_cars_per_h: NotNegative = 0.0
    peaks: Annotated[tuple[Peak, ...], Field(min_length=1)]
    dynamics: Literal["literal", "charge_then_depart"] = "literal"

    @model_validator(mode="after")
    def _cap_serves_somebody(self) -> CohortSetUp:
        if self.cap_kw < self.max_kw:
            raise ValueError(f"cap_kw {self.cap_kw} is below max_kw {self.max_kw}: nobody could charge")
        return self


CarsSetUp = PowerAllocationSetUp | EmissionSetUp
SetUp = PowerAllocationSetUp | EmissionSetUp | CohortSetUp
_ANY: TypeAdapter[SetUp] = TypeAdapter(Annotated[SetUp, Discriminator("model")])


def shipped() -> list[str]:
    """Names of the set-ups that come with the product."""
    folder = resources.files("studies.thesis") / "scenarios"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_set_up(name: str) -> SetUp:
    """A shipped set-up by its name, or one of your own by the path of its file.

    Raises:
        ConfigurationError: there is neither, or a field is unknown, missing or impossible; the text names each of them.
    """
    if name in shipped() and not Path(name).is_file():
        text = (resources.files("studies.thesis") / "scenarios" / f"{name}.toml").read_text(encoding="utf-8")
        return parse_set_up(text, name)
    try:
        return parse_set_up(Path(name).read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(shipped())
        raise ConfigurationError(f"{name} cannot be read ({error}), and is no shipped set-up ({known})") from error


def parse_set_up(text: str, source: str) -> SetUp:
    """A set-up from the text of its file; `source` names it in errors.

    Raises:
        ConfigurationError: see `load_set_up`.
    """
    try:
        return _ANY.validate_python(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source}: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{_place(fault['loc'])}: {fault['msg']}" for fault in error.errors())
        raise ConfigurationError(f"{source}: {faults}") from error


def _place(location: tuple[int | str, ...]) -> str:
    """Where a fault is, without the model's name that pydantic puts first."""
    return ".".join(str(part) for part in location[1:]) or "model"
