"""The planning problem: everything a planner is told, plain enough to send to another process.

min   Σ_k h_k·(π_k + κ·c_k)·import_k − Σ_k h_k·π⁻_k·export_k + D·max(0, peak − peak so far)
      + Σ_i γ_i·e_i + wear of batteries
with  import_k − export_k = base_k − (pv_k − curtailed_k) + Σ_i p_ik + b_k      where the site's own flows are given
      import_k = Σ_i p_ik, export_k = 0                                         where they are not
and   Σ_k h_k·p_ik + e_i = L_i, every cap, every window, every battery kept.

h: length of a step, π: import price, κ: carbon price, c: carbon intensity, π⁻: export price, D: demand charge,
p: charging power, b: power into the site's battery, L: energy wanted, e: energy not delivered, γ: its price.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from twin_core.models.ids import ConnectorId, SessionId

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Horizon:
    """Steps from now on, half-open, of equal length unless each length is given.

    Attributes:
        step_h: length of a step; of the first one where they differ.
        lengths_h: length of each step where they differ, such as 5 min at first and hours at the end; else empty.
    """

    start: datetime
    step_h: float
    n_steps: int
    lengths_h: tuple[float, ...] = ()

    @classmethod
    def graded(cls, start: datetime, *grades: tuple[int, float]) -> Horizon:
        """Steps that grow: each grade is a number of steps and their length in hours."""
        lengths_h = tuple(length_h for count, length_h in grades for _ in range(count))
        return cls(start, lengths_h[0] if lengths_h else 0.0, len(lengths_h), lengths_h)

    @property
    def hours(self) -> Array:
        """Length of every step in hours, shape (n_steps,)."""
        return np.array(self.lengths_h) if self.lengths_h else np.full(self.n_steps, self.step_h)

    @property
    def edges_h(self) -> Array:
        """Hours from now to the start of each step and to the end of the last, shape (n_steps + 1,)."""
        if self.lengths_h:
            return np.cumsum((0.0, *self.lengths_h), dtype=np.float64)
        return np.arange(self.n_steps + 1, dtype=np.float64) * self.step_h

    def times(self) -> tuple[datetime, ...]:
        """Start of every step."""
        return tuple(self.start + timedelta(hours=float(edge_h)) for edge_h in self.edges_h[:-1])

    def step_at(self, when: datetime) -> int | None:
        """The step a moment lies in; None outside the horizon."""
        if not self.n_steps:
            return None
        since_h = (when - self.start) / timedelta(hours=1) + 1e-9
        if self.lengths_h:
            step = bisect_right(list(accumulate(self.lengths_h, initial=0.0)), since_h) - 1
        else:
            step = math.floor(since_h / self.step_h)
        return step if 0 <= step < self.n_steps else None


@dataclass(frozen=True, slots=True)
class Taper:
    """A battery that takes less and less near full (the constant-voltage part of CC-CV).

    Once `flat_kwh` is in, the highest power falls in a straight line and is 0 when `full_kwh` is in. A step's highest
    power is that of its start, and nothing goes in beyond `full_kwh`.

    Attributes:
        flat_kwh: energy from now, at the meter, until the highest power begins to fall.
        full_kwh: energy from now, at the meter, until the battery is full; above `flat_kwh`.
    """

    flat_kwh: float
    full_kwh: float


@dataclass(frozen=True, slots=True)
class VehicleBattery:
    """What a vehicle allows to be taken out again (V2G).

    Attributes:
        capacity_kwh: energy it holds when full.
        stored_kwh: in it now, or on arrival.
        least_kwh: never below this.
        discharge_max_kw: power out of it, at the meter; 0 where only charging is allowed.
        charge_efficiency: part of the energy at the meter that gets into the battery.
        discharge_efficiency: part of the energy out of the battery that gets to the meter.
        wear_eur_per_kwh: price of a kWh discharged, at the meter, beside the energy itself.
    """

    capacity_kwh: float
    stored_kwh: float
    least_kwh: float = 0.0
    discharge_max_kw: float = 0.0
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    wear_eur_per_kwh: float = 0.0


@dataclass(frozen=True, slots=True)
class SinglePhase:
    """How a session charges after its charger has switched it from three phases to one.

    Attributes:
        max_kw: power that vehicle and connector can take on one phase.
        min_kw: power at the lowest current.
    """

    max_kw: float
    min_kw: float


@dataclass(frozen=True, slots=True)
class SessionNeed:
    """What one session still needs, seen from the start of the horizon. All energies are at the meter.

    Attributes:
        energy_kwh: still wanted.
        arrival_h: hours from now until it may charge; 0 for a vehicle that is here.
        departure_h: hours from now until it leaves.
        max_kw: power that vehicle and connector can take.
        min_kw: power at the lowest current the control pilot can offer.
        kw_per_a: power per ampere of grant, i.e. phases in use times voltage.
        waited_h: hours since it arrived; orders first come, first served.
        idle_h: hours since it last charged, 0 while it charges; None where it has not yet. Orders taking turns.
        shortfall_eur_per_kwh: price of a kWh not delivered by departure.
        priority: weight among sessions where not everybody can be served, 1 for everybody unless somebody says so.
        step_kw: granularity of its setpoint; 0 where any power can be set.
        now_kw: what it draws now; where ramps and minimum runs start from.
        ramp_kw_per_h: fastest rise of its power from step to step; it may fall at once.
        run_h: hours from now during which it is not switched off again if the limits allow (minimum run time).
        likely_departure_h: hours from now until it most likely leaves, where `departure_h` is only how long it is
            counted on to stay; None where that is certain.
    """

    session_id: SessionId
    connector_id: ConnectorId
    energy_kwh: float
    arrival_h: float
    departure_h: float
    max_kw: float
    min_kw: float
    kw_per_a: float
    waited_h: float = 0.0
    shortfall_eur_per_kwh: float = 1.0
    priority: float = 1.0
    step_kw: float = 0.0
    now_kw: float = 0.0
    ramp_kw_per_h: float = np.inf
    run_h: float = 0.0
    taper: Taper | None = None
    battery: VehicleBattery | None = None
    single_phase: SinglePhase | None = None
    idle_h: float | None = None
    likely_departure_h: float | None = None

    @property
    def discharge_max_kw(self) -> float:
        """Power it may give back; 0 where only charging is allowed."""
        return 0.0 if self.battery is None else self.battery.discharge_max_kw


@dataclass(frozen=True, slots=True)
class Cap:
    """One linear limit on the sessions' powers: floor[k] <= load @ power_kw[:, k] + battery_load·b[k] <= limit[k].

    Attributes:
        load: shape (n_sessions,), what one kW of each session puts on the limit, >= 0.
        limit: shape (n_steps,), in the unit that `load` leads to (A or kW), base load already taken off.
        floor: shape (n_steps,), the same for power flowing back, usually negative; None where nothing limits it.
        battery_load: what one kW into the site's battery puts on the limit, >= 0.
        single_phase_load: shape (n_sessions,), `load` of the sessions while switched to one phase; None where none can.
    """

    name: str
    load: Array
    limit: Array
    floor: Array | None = None
    battery_load: float = 0.0
    single_phase_load: Array | None = None


@dataclass(frozen=True, slots=True)
class SiteBattery:
    """A stationary battery behind the site's meter.

    Attributes:
        stored_kwh: in it now.
        least_kwh: never below this.
        end_kwh: at least this at the end of the horizon; above `stored_kwh`, only an optimising planner gets there.
        charge_max_kw: power into it, at the meter.
        discharge_max_kw: power out of it, at the meter.
        wear_eur_per_kwh: price of a kWh discharged, at the meter.
    """

    capacity_kwh: float
    stored_kwh: float
    charge_max_kw: float
    discharge_max_kw: float
    least_kwh: float = 0.0
    end_kwh: float = 0.0
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    wear_eur_per_kwh: float = 0.0


@dataclass(frozen=True, slots=True)
class SiteFlows:
    """What flows at the site's billing meter beside the sessions, and what that meter costs beside energy.

    Attributes:
        base_kw: shape (n_steps,), load that is neither a session nor the battery.
        pv_kw: shape (n_steps,), what the sun gives at most; any part of it may be curtailed.
        export_eur_per_kwh: shape (n_steps,), paid for energy fed back.
        demand_charge_eur_per_kw: price of the highest import of the billing period.
        peak_so_far_kw: highest import of the period so far; only more than this costs more.
        export_limit_kw: shape (n_steps,), >= 0, the most that the sun may make flow out; more of it is curtailed. None
            where nothing limits it. What sessions and the battery give back is held by caps.
    """

    base_kw: Array
    pv_kw: Array
    export_eur_per_kwh: Array
    demand_charge_eur_per_kw: float = 0.0
    peak_so_far_kw: float = 0.0
    battery: SiteBattery | None = None
    export_limit_kw: Array | None = None

    def least_exchange_kw(self, use_kw: Array) -> Array:
        """Exchange at the meter with all the sun that may be used, import positive, shape (n_steps,).

        Args:
            use_kw: shape (n_steps,), base load, sessions and the battery together.
        """
        least: Array = use_kw - self.pv_kw
        most_out_kw = self.most_out_kw
        return least if most_out_kw is None else np.minimum(np.maximum(least, -most_out_kw), use_kw)

    @property
    def most_out_kw(self) -> Array | None:
        """The most that may flow out at the meter: the limit, or what the base load feeds back by itself."""
        return None if self.export_limit_kw is None else np.maximum(self.export_limit_kw, -self.base_kw)


@dataclass(frozen=True, slots=True)
class PlanningProblem:
    """All a planner sees.

    Attributes:
        price_eur_per_kwh: shape (n_steps,), of imported energy.
        caps: limits of the site that some session loads.
        carbon_kg_per_kwh: shape (n_steps,), of imported energy; None where nobody knows.
        carbon_eur_per_kg: what a kg counts in the objective; never part of a plan's cost.
        site: the site's own flows; None where the sessions' energy is all that is paid for.
        offerable_steps: in this many steps from now on a session gets 0 or at least `min_kw`, in whole `step_kw`.
    """

    horizon: Horizon
    sessions: tuple[SessionNeed, ...]
    price_eur_per_kwh: Array
    caps: tuple[Cap, ...]
    carbon_kg_per_kwh: Array | None = None
    carbon_eur_per_kg: float = 0.0
    site: SiteFlows | None = None
    offerable_steps: int = 0

    def availability(self) -> Array:
        """Part of each step in which each session may charge, shape (n_sessions, n_steps), in [0, 1]."""
        edges_h = self.horizon.edges_h
        arrival = np.array([s.arrival_h for s in self.sessions]).reshape(-1, 1)
        departure = np.array([s.departure_h for s in self.sessions]).reshape(-1, 1)
        # In place: most of the time of a large array goes into fetching memory for it.
        inside: Array = np.minimum(edges_h[1:], departure)
        inside -= np.maximum(edges_h[:-1], arrival)
        inside /= self.horizon.hours
        return np.clip(inside, 0.0, 1.0, out=inside)

    def import_eur_per_kwh(self) -> Array:
        """What an imported kWh counts in the objective: its price and that of its carbon, shape (n_steps,)."""
        if self.carbon_kg_per_kwh is None:
            return self.price_eur_per_kwh
        counted: Array = self.price_eur_per_kwh + self.carbon_eur_per_kg * self.carbon_kg_per_kwh
        return counted
