"""A planning problem as one writes it in JSON: horizon, sessions, the tree of limits, prices."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from connectors.problems.series import Finite, NotNegative, NotNegativeSeries, Positive, Ratio, Series
from twin_core.models.problem import Horizon
from twin_core.models.quantities import NOMINAL_VOLTAGE_V


def _printable(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError("must be visible characters, with no space at either end")
    return name


def _as_text(given: object) -> object:
    # A bare number would be read as seconds since 1970, and a bare date as its midnight somewhere.
    if isinstance(given, str) and not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", given):
        raise ValueError('must be a time with its zone, such as "2026-11-21T18:30+01:00"')
    if isinstance(given, int | float | list | dict) or given is None:
        raise ValueError('must be a time with its zone, such as "2026-11-21T18:30+01:00"')
    return given


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
Time = Annotated[AwareDatetime, BeforeValidator(_as_text)]
PhaseName = Literal["L1", "L2", "L3"]
Moment = Annotated[
    Annotated[Finite, Tag("as hours")] | Annotated[Time, Tag("as time")],
    Discriminator(lambda given: "as time" if not isinstance(given, int | float) else "as hours"),
]
"""Hours from the start of the horizon, or a time with its zone such as "2026-11-21T18:30+01:00"."""

MOST_STEPS = 10_000
"""Longest horizon that is read: far above any that helps, far below what fills a memory."""


class Part(BaseModel):
    """What every part of the schema keeps to: no field it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ByPhase(Part):
    """A series for each phase; one left out is 0 for a load and no limit for a limit."""

    L1: Series | None = None
    L2: Series | None = None
    L3: Series | None = None


class LimitByPhase(ByPhase):
    """A limit for each phase; none for one left out."""

    L1: NotNegativeSeries | None = None
    L2: NotNegativeSeries | None = None
    L3: NotNegativeSeries | None = None


def _names_phases(given: object) -> str:
    times = not isinstance(given, dict) or all(":" in str(name) for name in given)
    return "alike" if times and not isinstance(given, ByPhase) else "by phase"


PerPhase = Annotated[
    Annotated[ByPhase, Tag("by phase")] | Annotated[Series, Tag("alike")], Discriminator(_names_phases)
]
"""One series for each of the three phases, or one for all of them."""


LimitPerPhase = Annotated[
    Annotated[LimitByPhase, Tag("by phase")] | Annotated[NotNegativeSeries, Tag("alike")], Discriminator(_names_phases)
]
"""The same, of values that cannot be below 0."""


class Grade(Part):
    """So many steps of one length."""

    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)]
    step_min: Positive


class HorizonPart(Part):
    """`horizon`: from `start` on, `hours` in steps of `step_min`, or `grades` of steps that grow."""

    start: Time
    step_min: Positive = 15.0
    hours: Positive = 24.0
    grades: tuple[Grade, ...] = ()

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.grades and self.model_fields_set & {"step_min", "hours"}:
            raise ValueError("give either grades, or step_min and hours")
        n_steps = sum(g.steps for g in self.grades) or self.hours * 60.0 / self.step_min
        if n_steps > MOST_STEPS:
            raise ValueError(f"{n_steps:.0f} steps are more than {MOST_STEPS}: plan a shorter time or longer steps")
        if abs(n_steps - round(n_steps)) > 1e-6 or n_steps < 1:
            raise ValueError(f"{self.hours:g} hours are no whole number of steps of {self.step_min:g} minutes")
        try:
            self.horizon().times()
            _ = self.start + timedelta(hours=float(self.horizon().edges_h[-1]))
        except OverflowError:
            raise ValueError(f"start {self.start}: there is no calendar for the end of it") from None
        return self

    def horizon(self) -> Horizon:
        """The steps themselves."""
        if self.grades:
            return Horizon.graded(self.start, *((g.steps, g.step_min / 60.0) for g in self.grades))
        return Horizon(self.start, self.step_min / 60.0, round(self.hours * 60.0 / self.step_min))


class TaperPart(Part):
    """`taper`: after `flat_kwh` more the highest power falls in a straight line, to 0 at `full_kwh`."""

    flat_kwh: NotNegative
    full_kwh: Positive

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if not self.flat_kwh < self.full_kwh:
            raise ValueError(f"flat_kwh {self.flat_kwh:g} must be below full_kwh {self.full_kwh:g}")
        return self


class _Stored(Part):
    capacity_kwh: Positive
    stored_kwh: NotNegative
    least_kwh: NotNegative = 0.0
    discharge_max_kw: NotNegative
    charge_efficiency: Ratio = 0.95
    discharge_efficiency: Ratio = 0.95
    wear_eur_per_kwh: NotNegative = 0.0

    @model_validator(mode="after")
    def _within(self) -> Self:
        for name, value in (("stored_kwh", self.stored_kwh), ("least_kwh", self.least_kwh)):
            if not value <= self.capacity_kwh:
                raise ValueError(f"{name} {value:g} is above capacity_kwh {self.capacity_kwh:g}: lower it")
        return self


class VehicleBatteryPart(_Stored):
    """`battery` of a session: what the vehicle lets out again (V2G)."""


class SiteBatteryPart(_Stored):
    """`site_battery`: a stationary battery, at a node of the tree or, without one, at the meter."""

    charge_max_kw: NotNegative
    end_kwh: NotNegative = 0.0
    node: Name | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self.end_kwh <= self.capacity_kwh:
            raise ValueError(f"end_kwh {self.end_kwh:g} is above capacity_kwh {self.capacity_kwh:g}: lower it")
        return self


class SessionPart(Part):
    """One of `sessions`: a vehicle, what it wants, how long it stays and how it is wired."""

    id: Name
    node: Name | None = None
    energy_kwh: NotNegative
    arrival: Moment = 0.0
    departure: Moment | None = None
    phases: Literal[1, 2, 3] = 3
    rotation: tuple[PhaseName, PhaseName, PhaseName] | None = ("L1", "L2", "L3")
    max_a: Positive | None = None
    min_a: NotNegative | None = None
    max_kw: Positive | None = None
    min_kw: NotNegative | None = None
    step_a: NotNegative = 0.0
    priority: Positive = 1.0
    shortfall_eur_per_kwh: NotNegative = 1.0
    waited_h: NotNegative = 0.0
    now_kw: NotNegative = 0.0
    ramp_kw_per_h: Positive | None = None
    minimum_run_h: NotNegative = 0.0
    switches_to_one_phase: bool = False
    taper: TaperPart | None = None
    battery: VehicleBatteryPart | None = None

    @property
    def kw_per_a(self) -> float:
        """Power per ampere on each of the phases in use."""
        return NOMINAL_VOLTAGE_V / 1000.0 * self.phases

    @property
    def highest_kw(self) -> float:
        """Power at the highest current."""
        return self.max_kw if self.max_kw is not None else (self.max_a or 0.0) * self.kw_per_a

    @property
    def lowest_kw(self) -> float:
        """Power at the lowest current, 6 A unless something else was given."""
        return self.min_kw if self.min_kw is not None else (6.0 if self.min_a is None else self.min_a) * self.kw_per_a

    @model_validator(mode="after")
    def _wired(self) -> Self:
        if (self.max_a is None) == (self.max_kw is None):
            raise ValueError("give max_a or max_kw, and not both")
        if self.min_a is not None and self.min_kw is not None:
            raise ValueError("give min_a or min_kw, not both")
        if not self.lowest_kw <= self.highest_kw + 1e-9:
            raise ValueError(
                f"the lowest power, {self.lowest_kw:g} kW, is above the highest, {self.highest_kw:g} kW: lower min_a "
                "(6 A unless given) or raise the maximum"
            )
        if self.rotation is not None and len(set(self.rotation)) != 3:
            raise ValueError(f"rotation {'-'.join(self.rotation)} must name each of L1, L2 and L3 once")
        if self.switches_to_one_phase and self.phases == 1:
            raise ValueError("switches_to_one_phase: phases is 1 already")
        if self.switches_to_one_phase and not self.lowest_kw > 0:
            raise ValueError("switches_to_one_phase: needs a lowest current above 0, such as min_a 6")
        return self


class NodePart(Part):
    """One of `nodes`: a point of the installation with limits of its own; the one without a parent is the root."""

    id: Name
    parent: Name | None = None
    limit_a: LimitPerPhase | None = None
    limit_kw: NotNegativeSeries | None = None
    export_limit_kw: NotNegativeSeries | None = None
    base_kw: PerPhase = 0.0


class FuturePart(Part):
    """One way in which things may come: real departures by session, and who comes beside."""

    departures: dict[Name, Moment] = Field(default_factory=dict)
    arrivals: tuple[SessionPart, ...] = ()


class OutlookPart(Part):
    """`outlook`: what is known about the uncertain, for the variants under uncertainty."""

    prices_eur_per_kwh: tuple[Series, ...] = ()
    base_load_sigma_kw: dict[Name, NotNegativeSeries] = Field(default_factory=dict)
    futures: tuple[FuturePart, ...] = ()


class ProblemFile(Part):
    """The whole problem."""

    name: str = ""
    horizon: HorizonPart
    sessions: tuple[SessionPart, ...] = ()
    nodes: tuple[NodePart, ...] = ()
    price_eur_per_kwh: Series
    export_eur_per_kwh: Series | None = None
    demand_charge_eur_per_kw: NotNegative = 0.0
    peak_so_far_kw: NotNegative = 0.0
    pv_kw: NotNegativeSeries | None = None
    pv_node: Name | None = None
    pv_counted: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.0
    site_battery: SiteBatteryPart | None = None
    carbon_kg_per_kwh: Series | None = None
    carbon_eur_per_kg: NotNegative = 0.0
    offerable_steps: Annotated[int, Field(ge=0, le=MOST_STEPS)] = 0
    outlook: OutlookPart | None = None

    @model_validator(mode="after")
    def _connected(self) -> Self:
        _once("session", [s.id for s in self.sessions])
        _once("node", [n.id for n in self.nodes])
        _one_tree(self.nodes)
        places = {n.id for n in self.nodes}
        known = ", ".join(sorted(places)) or "there are none"
        for session in self.sessions:
            if session.node is not None and session.node not in places:
                raise ValueError(f"session {session.id!r}: node {session.node!r} is none of the nodes ({known})")
            self._require_stay(session)
        if self.pv_node not in {None, *places}:
            raise ValueError(f"pv_node: node {self.pv_node!r} is none of the nodes ({known})")
        if self.site_battery is not None and self.site_battery.node not in {None, *places}:
            raise ValueError(f"site_battery: node {self.site_battery.node!r} is none of the nodes ({known})")
        return self

    @model_validator(mode="after")
    def _foreseen(self) -> Self:
        nodes, sessions = {n.id for n in self.nodes}, {s.id for s in self.sessions}
        for future in self.outlook.futures if self.outlook is not None else ():
            strangers = [name for name in future.departures if name not in sessions]
            if strangers:
                raise ValueError(f"outlook: futures: departures: {strangers[0]!r} is none of the sessions")
            for arrival in future.arrivals:
                if arrival.id in sessions:
                    raise ValueError(f"outlook: futures: arrival {arrival.id!r} is a session already")
                if arrival.node is not None and arrival.node not in nodes:
                    raise ValueError(
                        f"outlook: futures: arrival {arrival.id!r}: node {arrival.node!r} is none of the nodes"
                    )
                self._require_stay(arrival)
        return self

    def _require_stay(self, session: SessionPart) -> None:
        if session.departure is None:
            return
        arrival_h, departure_h = self.hours_of(session.arrival), self.hours_of(session.departure)
        if not departure_h > arrival_h:
            raise ValueError(
                f"session {session.id!r}: departure {session.departure} is not after arrival {session.arrival}"
            )

    def hours_of(self, moment: Moment) -> float:
        """Hours from the start of the horizon."""
        if isinstance(moment, float | int):
            return float(moment)
        return (moment - self.horizon.start) / timedelta(hours=1)


def _once(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} {twice[0]!r} is there twice: give each its own id")


def _one_tree(nodes: tuple[NodePart, ...]) -> None:
    parents = {node.id: node.parent for node in nodes}
    roots = [name for name, parent in parents.items() if parent is None]
    if nodes and len(roots) != 1:
        raise ValueError(f"nodes without a parent: {', '.join(roots) or 'none'}; exactly one is the root of the tree")
    for name, parent in parents.items():
        seen, at = {name}, parent
        while at is not None:
            if at not in parents:
                raise ValueError(f"node {name!r}: parent {at!r} is none of the nodes")
            if at in seen:
                raise ValueError(f"node {name!r} is its own ancestor: give one of them another parent")
            seen.add(at)
            at = parents[at]
