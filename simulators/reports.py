"""What a charge point says of itself: status, meter values, heartbeats, boot and security events."""

from __future__ import annotations

from simulators.configuration import MEASURANDS
from simulators.machine import Machine
from simulators.outbox import Outgoing
from simulators.sampling import meter_value, timestamp
from simulators.station import LocalTransaction, Outlet
from simulators.wire import Payload
from twin_core.models.charger import ConnectorStatus


class Reports:
    """The reports of one charge point."""

    __slots__ = ("_machine", "_next_aligned_s", "_reported", "_sampled_s")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._reported: dict[int, ConnectorStatus] = {}
        self._sampled_s: dict[int, float] = {}
        self._next_aligned_s = 0.0

    # Looking round ---------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Report what changed and sample what is due."""
        machine = self._machine
        machine.advance()
        now_s = machine.clock.now().monotonic_s
        for number, outlet in machine.station.outlets.items():
            if self._reported.get(number) is not self.status_of(number):
                self.status(number)
            self._sample_if_due(number, outlet, now_s)
        aligned_s = machine.configuration.number("ClockAlignedDataInterval")
        if aligned_s and machine.station.own_s >= self._next_aligned_s:
            self._next_aligned_s = (machine.station.own_s // aligned_s + 1) * aligned_s
            for number in machine.station.outlets:
                self.sample(number, "Sample.Clock", "MeterValuesAlignedData")

    def next_look_s(self) -> float:
        """Seconds until something may be due: one while a vehicle is here, for it changes at any moment."""
        machine = self._machine
        if any(outlet.vehicle is not None for outlet in machine.station.outlets.values()):
            return 1.0
        if machine.configuration.number("ClockAlignedDataInterval"):
            return max(0.0, self._next_aligned_s - machine.station.own_s)
        return 3600.0

    def _sample_if_due(self, number: int, outlet: Outlet, now_s: float) -> None:
        """Sample a running transaction; an interval of 0 asks for no samples."""
        interval_s = self._machine.configuration.number("MeterValueSampleInterval")
        if outlet.transaction is None or not interval_s:
            return
        due_s = self._sampled_s.get(number, now_s) + interval_s
        if now_s >= due_s:
            # Counted on from the moment that was due: a late look must not stretch the interval.
            self._sampled_s[number] = due_s if now_s < due_s + interval_s / 2 else now_s
            self.sample(number, "Sample.Periodic")

    def begin_sampling(self, number: int) -> None:
        """A transaction began: its samples are counted from now."""
        self._sampled_s[number] = self._machine.clock.now().monotonic_s

    def forget(self) -> None:
        """Everything is news again, as after a restart."""
        self._reported.clear()

    # Messages --------------------------------------------------------------------------------------------------------

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

    def status(self, number: int) -> None:
        """Send StatusNotification of a connector, or of the whole charge point for 0."""
        status = self.status_of(number)
        self._reported[number] = status
        outlet = self._machine.station.outlets.get(number)
        payload = {
            "connectorId": number,
            "errorCode": "NoError" if outlet is None else outlet.error_code,
            "status": status.value,
            "timestamp": self._machine.stamp(),
        }
        self._machine.say("StatusNotification", payload)

    def status_if_new(self, number: int) -> None:
        """Send StatusNotification of a connector unless it was the last that was said."""
        if self._reported.get(number) is not self.status_of(number):
            self.status(number)

    def all_statuses(self) -> None:
        """Send the status of the charge point and of every connector."""
        for number in (0, *self._machine.station.outlets):
            self.status(number)

    def sample(self, number: int, context: str, measurands_key: str = "MeterValuesSampledData") -> None:
        """Send MeterValues of a connector; those of a transaction wait for the link unless they were asked for."""
        outlet = self._machine.station.outlets[number]
        running = outlet.transaction
        measurands = self._machine.configuration.measurands(measurands_key) or MEASURANDS[:1]
        value = meter_value(outlet, measurands, context, self._machine.station.own_time)

        def payload() -> Payload:
            made: Payload = {"connectorId": number, "meterValue": [value]}
            if running is not None and running.id is not None:
                made["transactionId"] = running.id
            return made

        # One that was asked for is wanted now, and must not wait behind a queue or for the registration.
        durable = running is not None and context != "Trigger"
        self._machine.outbox.put(Outgoing("MeterValues", payload, durable=durable, sample=True))

    def transaction_value(self, number: int, context: str) -> Payload | None:
        """A value for transactionData of StopTransaction; None where the configuration asks for none."""
        measurands = self._machine.configuration.measurands("StopTxnSampledData")
        if not measurands:
            return None
        value = meter_value(self._machine.station.outlets[number], measurands, context, self._machine.station.own_time)
        return value if value["sampledValue"] else None

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
