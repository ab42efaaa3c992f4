"""One connector of a charge point: what is plugged in, what its pilot says and what its meter counts."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.pilot import PilotFault, PilotState, duty_of
from simulators.vehicle import Vehicle
from twin_core.models.charger import ConnectorSpec, ConnectorStatus
from twin_core.models.ids import IdTag
from twin_core.models.quantities import MINIMUM_CURRENT_A, NO_CURRENT, PhaseCurrents, current_on

_DRAWING_A = 0.2
"""Current above which a vehicle counts as charging."""


@dataclass(slots=True)
class LocalTransaction:
    """A transaction as the charge point knows it.

    Attributes:
        id: given by the central system; None until it answered.
        started_s: on the charge point's own UTC clock.
        meter_stop_wh: None while it runs.
        stop_answered: the central system has answered its StopTransaction.
    """

    id_tag: IdTag
    started_s: float
    meter_start_wh: int
    id: int | None = None
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
        fault: what is wrong at the vehicle interface; None when nothing is.
        interrupted: its pilot is interrupted to wake the vehicle.
    """

    def __init__(self, spec: ConnectorSpec, register_kwh: float = 0.0) -> None:
        self.spec = spec
        self.transaction: LocalTransaction | None = None
        self.offered_a = 0.0
        self.phases_on = len(spec.phases)
        self.available = True
        self.finishing = False
        self.out_of_service_next = False
        self.fault: PilotFault | None = None
        self.interrupted = False
        self._vehicle: Vehicle | None = None
        self.meter_error = 0.0
        self._base_kwh = register_kwh

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
        self._vehicle = vehicle
        self.close(len(self.spec.phases))

    def close(self, n_phases: int) -> None:
        """From now on its contactor closes so many phases; only while nothing flows."""
        self.phases_on = n_phases
        if self._vehicle is not None:
            self._vehicle.connect(n_phases)

    @property
    def register_kwh(self) -> float:
        """Lifetime import register, as its meter counts."""
        return self._base_kwh + (self._vehicle.delivered_kwh * (1.0 + self.meter_error) if self._vehicle else 0.0)

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
        read_a, using = self.current_a * (1.0 + self.meter_error), self.n_phases
        return tuple(read_a if k < using else 0.0 for k in range(len(self.spec.phases)))

    def grid_currents(self) -> PhaseCurrents:
        """What it truly draws from each phase of the grid connection."""
        if self._vehicle is None:
            return NO_CURRENT
        return current_on(self.spec.phases[: self.n_phases], self._vehicle.current_a)

    @property
    def most_a(self) -> float:
        """The most that hardware and cable allow, whatever else is said; 0 with a fault."""
        if self.fault is not None:
            return 0.0
        cable = self._vehicle.cable if self._vehicle else None
        return self.spec.hardware_max_a if cable is None else min(self.spec.hardware_max_a, float(cable))

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
        return duty_of(self.offered_a)

    @property
    def status(self) -> ConnectorStatus:
        """What StatusNotification has to say."""
        if self.fault is not None:
            return ConnectorStatus.FAULTED
        if self._vehicle is None:
            return ConnectorStatus.AVAILABLE if self.available else ConnectorStatus.UNAVAILABLE
        if self.transaction is None:
            return ConnectorStatus.FINISHING if self.finishing else ConnectorStatus.PREPARING
        if self.current_a > _DRAWING_A:
            return ConnectorStatus.CHARGING
        if self.offered_a < MINIMUM_CURRENT_A:
            return ConnectorStatus.SUSPENDED_EVSE
        return ConnectorStatus.CHARGING if self._vehicle.asks(self.offered_a) else ConnectorStatus.SUSPENDED_EV

    @property
    def error_code(self) -> str:
        """What StatusNotification gives as its error."""
        return "NoError" if self.fault is None else self.fault.error_code

    def release(self) -> Vehicle | None:
        """Take the vehicle out; its energy stays in the register."""
        self._base_kwh = self.register_kwh
        vehicle, self._vehicle = self._vehicle, None
        self.finishing = False
        self.interrupted = False
        self.offered_a = 0.0
        return vehicle
