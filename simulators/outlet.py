"""One connector of a charge point: what is plugged in, what its pilot says and what its meter counts."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.hardware import Rotation
from simulators.pilot import DIGITAL_DUTY, Cable, PilotFault, PilotState, cable_of, duty_of
from simulators.vehicle import DRAWING_A, Vehicle
from twin_core.models.charger import ConnectorSpec, ConnectorStatus
from twin_core.models.ids import IdTag
from twin_core.models.quantities import MINIMUM_CURRENT_A, NO_CURRENT, Phase, PhaseCurrents, current_on

_STRAIGHT = (0, 1, 2)
_NOTHING = (0.0, 0.0, 0.0)


@dataclass(slots=True)
class LocalTransaction:
    """A transaction as the charge point knows it.

    Attributes:
        id: given by the central system; None until it answered.
        started_s: on the charge point's own UTC clock.
        supply_until_wh: register reading up to which it is supplied, set when the central system found its tag invalid.
        accepted: False once it has got that far, and gets nothing more.
        meter_stop_wh: None while it runs.
        stop_answered: the central system has answered its StopTransaction.
    """

    id_tag: IdTag
    started_s: float
    meter_start_wh: int
    id: int | None = None
    supply_until_wh: int | None = None
    accepted: bool = True
    meter_stop_wh: int | None = None
    stop_answered: bool = False


class Outlet:
    """One connector.

    Attributes:
        offered_a: current the control pilot offers now.
        phases_on: how many phases its contactor closes.
        available: False while it is out of service.
        finishing: a transaction ended and the vehicle is still here.
        out_of_service_next: it goes out of service when the running transaction ends.
        meter_error: relative error of its meter; set while nothing is plugged in.
        broken: what is wrong with it, the latest last.
        interrupted: its pilot is interrupted to wake the vehicle.
        digital: its pilot says that the current is told by message.
        locked: a cable is kept in its socket, though no vehicle is at the other end.
    """

    def __init__(self, spec: ConnectorSpec) -> None:
        self.spec = spec
        self.transaction: LocalTransaction | None = None
        self.offered_a = 0.0
        self.phases_on = len(spec.phases)
        self.available = True
        self.finishing = False
        self.out_of_service_next = False
        self.broken: tuple[PilotFault, ...] = ()
        self.interrupted = False
        self.digital = False
        self.locked = False
        self.meter_error = 0.0
        self._order: tuple[int, ...] = _STRAIGHT[: len(spec.phases)]
        self._vehicle: Vehicle | None = None
        self._booked_kwh = 0.0
        self._register: tuple[float, ...] = _NOTHING[: len(spec.phases)]

    @property
    def number(self) -> int:
        """The connector's number, from 1."""
        return self.spec.id.number

    @property
    def vehicle(self) -> Vehicle | None:
        """What is plugged in; `release` takes it out."""
        return self._vehicle

    @vehicle.setter
    def vehicle(self, vehicle: Vehicle) -> None:
        self._book()
        self._vehicle = vehicle
        self._booked_kwh = vehicle.delivered_kwh
        self.close(len(self.spec.phases))

    def turn(self, rotation: Rotation) -> None:
        """Wire its phases to the supply's in another order, while nothing is plugged in; only three can be turned."""
        if len(self.spec.phases) == len(rotation.order):
            self._order = rotation.order

    def close(self, n_phases: int) -> None:
        """From now on its contactor closes so many phases; only while nothing flows."""
        self._book()
        self.phases_on = n_phases
        if self._vehicle is not None:
            self._vehicle.connect(n_phases)

    def wiring(self, n_phases: int) -> tuple[Phase, ...]:
        """Phases of the grid connection that its first phases are wired to."""
        return tuple(self.spec.phases[k] for k in self._order[:n_phases])

    @property
    def registers_kwh(self) -> tuple[float, ...]:
        """Lifetime import register of each phase of the charger, as its meter counts."""
        vehicle = self._vehicle
        if vehicle is None or vehicle.delivered_kwh == self._booked_kwh:
            return self._register
        each_kwh = (vehicle.delivered_kwh - self._booked_kwh) * (1.0 + self.meter_error) / vehicle.n_phases
        using = self._order[: vehicle.n_phases]
        return tuple(kwh + each_kwh if k in using else kwh for k, kwh in enumerate(self._register))

    @property
    def register_kwh(self) -> float:
        """Lifetime import register of all phases together, as its meter counts."""
        return sum(self.registers_kwh)

    def _book(self) -> None:
        """Write what the meter counted into the registers: from now on it may flow on other phases."""
        if self._vehicle is not None:
            self._register = self.registers_kwh
            self._booked_kwh = self._vehicle.delivered_kwh

    @property
    def n_phases(self) -> int:
        """Phases the plugged-in vehicle uses here, all of the connector's when there is none."""
        return self._vehicle.n_phases if self._vehicle else len(self.spec.phases)

    @property
    def current_a(self) -> float:
        """True current per phase in use."""
        return self._vehicle.current_a if self._vehicle else 0.0

    def metered_currents(self) -> tuple[float, ...]:
        """What its meter reads on each of its phases, in the charger's own order L1, L2, L3."""
        read_a, using = self.current_a * (1.0 + self.meter_error), self._order[: self.n_phases]
        return tuple(read_a if k in using else 0.0 for k in range(len(self.spec.phases)))

    def grid_currents(self) -> PhaseCurrents:
        """What it truly draws from each phase of the grid connection."""
        if self._vehicle is None:
            return NO_CURRENT
        return current_on(self.wiring(self.n_phases), self._vehicle.current_a)

    @property
    def cable(self) -> Cable | None:
        """The cable that the vehicle brought along, as the proximity pilot reads it; None for one that it cannot."""
        ohm = self._vehicle.proximity_ohm if self._vehicle else None
        return None if ohm is None else cable_of(ohm)

    @property
    def fault(self) -> PilotFault | None:
        """What is wrong here; None when nothing is."""
        unread = self._vehicle is not None and self._vehicle.proximity_ohm is not None and self.cable is None
        if self.broken:
            return self.broken[-1]
        return PilotFault.CABLE if unread else None

    @property
    def most_a(self) -> float:
        """The most that hardware and cable allow, whatever else is said; 0 with a fault."""
        if self.fault is not None:
            return 0.0
        return min(self.spec.hardware_max_a, float(self.cable or self.spec.hardware_max_a))

    @property
    def pilot(self) -> PilotState:
        """State of the vehicle interface."""
        if self.fault is not None:
            return self.fault.state
        if self._vehicle is None:
            return PilotState.NO_VEHICLE if self.available else PilotState.FAULT
        if self.interrupted:
            return PilotState.NO_PILOT
        if not self._vehicle.asks(self.offered_a):
            return PilotState.CONNECTED
        return PilotState.VENTILATION if self._vehicle.habits.needs_ventilation else PilotState.CHARGING

    @property
    def duty_percent(self) -> float | None:
        """Duty cycle of the pilot; None while it is steady."""
        return DIGITAL_DUTY if self.digital else duty_of(self.offered_a)

    @property
    def status(self) -> ConnectorStatus:
        """What StatusNotification has to say."""
        if self.fault is not None:
            return ConnectorStatus.FAULTED
        if self._vehicle is None:
            return self._status_without_vehicle()
        if self.transaction is None:
            return ConnectorStatus.FINISHING if self.finishing else ConnectorStatus.PREPARING
        if self.current_a > DRAWING_A:
            return ConnectorStatus.CHARGING
        if self.offered_a < MINIMUM_CURRENT_A:
            return ConnectorStatus.SUSPENDED_EVSE
        return ConnectorStatus.CHARGING if self._vehicle.asks(self.offered_a) else ConnectorStatus.SUSPENDED_EV

    def _status_without_vehicle(self) -> ConnectorStatus:
        if self.transaction is not None:
            return ConnectorStatus.SUSPENDED_EV
        if self.locked:
            return ConnectorStatus.FINISHING
        return ConnectorStatus.AVAILABLE if self.available else ConnectorStatus.UNAVAILABLE

    @property
    def error_code(self) -> str:
        """What StatusNotification gives as its error."""
        return "NoError" if self.fault is None else self.fault.error_code

    def release(self) -> Vehicle | None:
        """Take the vehicle out; its energy stays in the register."""
        self._book()
        vehicle, self._vehicle = self._vehicle, None
        self.finishing = False
        self.interrupted = False
        self.digital = False
        self.offered_a = 0.0
        if vehicle is not None:
            vehicle.cut()
        return vehicle
