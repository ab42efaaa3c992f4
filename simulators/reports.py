"""What a charge point says of itself: status, meter values, boot and security events."""

from __future__ import annotations

import math

from simulators.configuration import REGISTER
from simulators.machine import NOTICED_S, Machine
from simulators.outbox import Outgoing
from simulators.sampling import Reading, inlet_reading, meter_value, outlet_reading, timestamp
from simulators.station import LocalTransaction, Outlet
from simulators.transaction_data import TransactionData
from simulators.wire import Payload
from twin_core.models.charger import ConnectorStatus

WHOLE = 0
"""Connector number of the whole charge point, and of its main meter."""
_PUNCTUAL_S = 2.0
"""A sample by the clock that comes later than this is left out: it would tell of another moment."""


class Reports:
    """The reports of one charge point.

    Attributes:
        transaction_data: what StopTransaction will tell.
    """

    __slots__ = (
        "_aligned_kwh",
        "_machine",
        "_periodic_kwh",
        "_reported",
        "_sampled_s",
        "_slot",
        "_unsteady",
        "transaction_data",
    )

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._reported: dict[int, ConnectorStatus] = {}
        self._unsteady: dict[int, tuple[ConnectorStatus, float]] = {}
        self._sampled_s: dict[int, float] = {}
        self._periodic_kwh: dict[int, tuple[float, ...]] = {}
        self._aligned_kwh: dict[int, tuple[float, ...]] = {}
        self._slot = (0, 0)
        self.transaction_data = TransactionData(machine)

    # Looking round ---------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Report what changed and sample what is due."""
        machine = self._machine
        machine.advance()
        now_s = machine.clock.now().monotonic_s
        self.notice(WHOLE)
        for number, outlet in machine.station.outlets.items():
            self.notice(number)
            self._sample_if_due(number, outlet, now_s)
        self._sample_by_the_clock()

    def next_look_s(self) -> float:
        """Seconds until something may be due, if nobody touches the charge point before."""
        machine = self._machine
        if self._unsteady or any(_runs_out(outlet.transaction) for outlet in machine.station.outlets.values()):
            return NOTICED_S
        now_s = machine.clock.now().monotonic_s
        every_s = machine.configuration.number("ClockAlignedDataInterval")
        by_the_clock_s = every_s - machine.station.own_s % every_s if every_s else math.inf
        steady_s = max(NOTICED_S, machine.station.steady_until_s() - now_s)
        return min(steady_s, self._next_sample_s() - now_s, by_the_clock_s)

    def _next_sample_s(self) -> float:
        """When the next sample of a transaction is due, on the monotonic clock."""
        interval_s = self._machine.configuration.number("MeterValueSampleInterval")
        outlets = self._machine.station.outlets.items()
        running = [number for number, outlet in outlets if outlet.transaction is not None] if interval_s else []
        return min(
            (self._sampled_s[number] + interval_s for number in running if number in self._sampled_s), default=math.inf
        )

    def _sample_if_due(self, number: int, outlet: Outlet, now_s: float) -> None:
        """Sample a running transaction; an interval of 0 asks for no samples."""
        interval_s = self._machine.configuration.number("MeterValueSampleInterval")
        if outlet.transaction is None or not interval_s:
            return
        due_s = self._sampled_s.get(number, now_s) + interval_s
        if now_s >= due_s:
            # Counted on from the moment that was due: a late look must not stretch the interval.
            self._sampled_s[number] = due_s if now_s < due_s + interval_s / 2 else now_s
            reading = self.reading(number)
            self._periodic_kwh[number] = reading.registers_kwh
            self._tell(number, reading, "Sample.Periodic", "MeterValuesSampledData")
            self.transaction_data.add(number, reading, "Sample.Periodic")

    def _sample_by_the_clock(self) -> None:
        """Sample the main meter and every outlet when the charge point's clock comes to a multiple of the interval."""
        machine = self._machine
        every_s = machine.configuration.number("ClockAlignedDataInterval")
        if not every_s:
            return
        number, late_s = divmod(machine.station.own_s, every_s)
        before, self._slot = self._slot, (every_s, int(number))
        if before[0] != every_s or before[1] >= number or late_s > _PUNCTUAL_S:
            return
        self._sample_aligned(WHOLE, inlet_reading(machine.station, self._aligned_kwh.get(WHOLE)))
        for number, outlet in machine.station.outlets.items():
            reading = outlet_reading(outlet, self._aligned_kwh.get(number))
            self._sample_aligned(number, reading)
            if outlet.transaction is not None:
                self.transaction_data.add(number, reading, "Sample.Clock", "StopTxnAlignedData")

    def _sample_aligned(self, number: int, reading: Reading) -> None:
        self._aligned_kwh[number] = reading.registers_kwh
        self._tell(number, reading, "Sample.Clock", "MeterValuesAlignedData")

    def begin_sampling(self, number: int) -> None:
        """A transaction began: its samples are counted from now."""
        self._sampled_s[number] = self._machine.clock.now().monotonic_s
        self._periodic_kwh[number] = self._machine.station.outlets[number].registers_kwh

    def forget(self) -> None:
        """Everything is news again, as after a restart."""
        self._reported.clear()
        self._unsteady.clear()

    # Status ----------------------------------------------------------------------------------------------------------

    def status_of(self, number: int) -> ConnectorStatus:
        """What StatusNotification has to say of a connector, or of the whole charge point for 0."""
        machine = self._machine
        outlet = machine.station.outlets.get(number)
        if outlet is None:
            return ConnectorStatus.AVAILABLE if machine.in_service else ConnectorStatus.UNAVAILABLE
        if outlet.status is not ConnectorStatus.AVAILABLE:
            return outlet.status
        if machine.installing:
            return ConnectorStatus.UNAVAILABLE
        if number in machine.expecting:
            return ConnectorStatus.PREPARING
        return ConnectorStatus.RESERVED if number in machine.reserved else ConnectorStatus.AVAILABLE

    def status(self, number: int, error_code: str | None = None) -> None:
        """Send StatusNotification of a connector, or of the whole charge point for 0, with an error of no connector."""
        status = self.status_of(number)
        self._reported[number] = status
        self._unsteady.pop(number, None)
        outlet = self._machine.station.outlets.get(number)
        payload = {
            "connectorId": number,
            "errorCode": error_code or ("NoError" if outlet is None else outlet.error_code),
            "status": status.value,
            "timestamp": self._machine.stamp(),
        }
        if outlet is not None and outlet.fault is not None:
            payload["info"] = outlet.fault.value
        self._machine.say("StatusNotification", payload)

    def notice(self, number: int) -> None:
        """Send a status that is new, once it has lasted for as long as MinimumStatusDuration says."""
        status = self.status_of(number)
        if self._reported.get(number) is status:
            self._unsteady.pop(number, None)
            return
        steady_s = self._machine.configuration.number("MinimumStatusDuration")
        if steady_s and number in self._reported:
            now_s = self._machine.clock.now().monotonic_s
            before, since_s = self._unsteady.get(number, (status, now_s))
            if before is not status:
                since_s = now_s
            self._unsteady[number] = (status, since_s)
            if now_s - since_s < steady_s:
                return
        self.status(number)

    def all_statuses(self) -> None:
        """Send the status of the charge point and of every connector."""
        for number in (WHOLE, *self._machine.station.outlets):
            self.status(number)

    # Meter values ----------------------------------------------------------------------------------------------------

    def reading(self, number: int) -> Reading:
        """What the meter of a connector shows, its interval as for the next sample of the transaction."""
        return outlet_reading(self._machine.station.outlets[number], self._periodic_kwh.get(number))

    def sample(self, number: int) -> None:
        """Send MeterValues of a connector because a trigger asks for it."""
        self._tell(number, self.reading(number), "Trigger", "MeterValuesSampledData")

    def _tell(self, number: int, reading: Reading, context: str, key: str) -> None:
        """Send MeterValues, unless there is nothing to say; those of a transaction wait for the link."""
        machine = self._machine
        asked = context == "Trigger"
        value = meter_value(reading, machine.configuration.measurands(key), context, machine.station.own_time)
        if not value["sampledValue"]:
            if not asked:
                return
            value = meter_value(reading, [REGISTER], context, machine.station.own_time)
        outlet = machine.station.outlets.get(number)
        running = None if outlet is None else outlet.transaction

        def payload() -> Payload:
            made: Payload = {"connectorId": number, "meterValue": [value]}
            if running is not None and running.id is not None:
                made["transactionId"] = running.id
            return made

        # One that was asked for is wanted now, and must not wait behind a queue or for the registration.
        durable = running is not None and not asked
        machine.outbox.put(Outgoing("MeterValues", payload, durable=durable, sample=True))

    # Others ----------------------------------------------------------------------------------------------------------

    def identity(self) -> Payload:
        """What BootNotification says."""
        machine = self._machine
        return {
            "chargePointVendor": "depot-twin",
            "chargePointModel": f"virtual-{len(machine.station.outlets)}",
            "chargePointSerialNumber": machine.spec.id[:25],
            "firmwareVersion": machine.firmware_version[:50],
        }

    def security_event(self, kind: str, detail: str = "") -> None:
        """Send SecurityEventNotification; it waits for the link."""
        payload: Payload = {"type": kind, "timestamp": self._machine.stamp()}
        if detail:
            payload["techInfo"] = detail[:255]
        self._machine.say("SecurityEventNotification", payload, kept=True)

    def started(self, number: int, running: LocalTransaction, reservation_id: int | None) -> Payload:
        """What StartTransaction says."""
        payload: Payload = {
            "connectorId": number,
            "idTag": running.id_tag,
            "meterStart": running.meter_start_wh,
            "timestamp": timestamp(self._machine.station.own_time),
        }
        return payload if reservation_id is None else {**payload, "reservationId": reservation_id}


def _runs_out(running: LocalTransaction | None) -> bool:
    """Whether a transaction ends at a register reading, which has to be watched."""
    return running is not None and running.accepted and running.supply_until_wh is not None
