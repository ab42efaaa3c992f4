"""Charging sessions and what their drivers asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from twin_core.models.ids import ConnectorId, IdTag, SessionId, TransactionId
from twin_core.models.quantities import Instant, Phase


@dataclass(frozen=True, slots=True)
class ChargingRequest:
    """What a driver or the fleet's schedule wants of a session.

    Attributes:
        energy_kwh: energy to deliver from the start of the session; None when nobody said.
        departure: when the vehicle leaves; None when nobody said.
        soc_at_arrival: state of charge in [0, 1]; None when nobody knows.
        priority: weight of a kWh not delivered, 1 for everybody unless the operator says otherwise.
        firm: the departure is a timetable's and is taken at its word; a driver's is discounted by what was learned.
    """

    energy_kwh: float | None = None
    departure: datetime | None = None
    soc_at_arrival: float | None = None
    priority: float = 1.0
    firm: bool = False


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle as the fleet knows it.

    Attributes:
        n_phases: phases its on-board charger uses.
        max_current_a: current per phase it takes at most.
        taper_soc: state of charge above which its battery takes less and less (CC-CV).
        keeps_timetable: every departure announced for it is firm.
    """

    id_tag: IdTag
    battery_kwh: float | None = None
    n_phases: int = 3
    max_current_a: float = 32.0
    taper_soc: float = 0.8
    keeps_timetable: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """One transaction at one connector; replaced, never changed, by the reducer.

    Attributes:
        started: when the gateway learned of it.
        started_at: when the charger says it began.
        meter_start_kwh: register at the start.
        energy_kwh: delivered so far.
        phases: grid phases the vehicle was seen to use; None until a sample showed them.
        charged: when a sample last showed it charging; None until one did.
        peak_current_a: highest current per phase a sample showed while the grant was higher; what the vehicle takes.
        running_since: since when it has charged without a pause; None while it does not.
    """

    id: SessionId
    connector_id: ConnectorId
    transaction_id: TransactionId
    id_tag: IdTag
    started: Instant
    started_at: datetime
    meter_start_kwh: float
    vehicle: Vehicle
    request: ChargingRequest = ChargingRequest()
    energy_kwh: float = 0.0
    soc: float | None = None
    phases: tuple[Phase, ...] | None = None
    peak_current_a: float | None = None
    charged: Instant | None = None
    running_since: Instant | None = None
    stopped: Instant | None = None
    stop_reason: str = ""

    @property
    def departure_is_firm(self) -> bool:
        """Whether its announced departure is a timetable's."""
        return self.request.departure is not None and (self.request.firm or self.vehicle.keeps_timetable)
