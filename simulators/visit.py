"""One visit of a vehicle to a connector, as planned before the run."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.pilot import cable_of
from simulators.vehicle import Battery, Habits
from twin_core.models.charger import ConnectorSpec
from twin_core.models.ids import ConnectorId, IdTag

SETTLE_S = 45.0
"""Charge points need this long to boot and be commissioned before the first vehicle may come."""


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """One visit that is going to happen.

    Attributes:
        arrival_s: seconds after the start of the run.
        departure_s: seconds after the start of the run.
        energy_kwh: wanted at the socket.
        soc: state of charge at arrival.
        battery: of the vehicle, at this connector.
        habits: of the vehicle.
        proximity_ohm: by which the cable that it brings says what it bears; None where the charger has its own.
    """

    id_tag: IdTag
    connector_id: ConnectorId
    arrival_s: float
    departure_s: float
    energy_kwh: float
    soc: float
    battery: Battery
    habits: Habits = Habits()
    proximity_ohm: float | None = None

    @property
    def stay_s(self) -> float:
        """Length of the visit."""
        return self.departure_s - self.arrival_s


def feasible_kwh(session: PlannedSession, connector: ConnectorSpec, *, reaction_s: float = 0.0) -> float:
    """Energy the visit allows at full power, cable and taper included."""
    seconds = session.stay_s - reaction_s
    installed = len(connector.phases)
    most_a = connector.hardware_max_a
    if session.proximity_ohm is not None:
        most_a = min(most_a, cable_of(session.proximity_ohm) or 0.0)
    return session.battery.deliverable_kwh(session.soc, most_a, installed, seconds)
