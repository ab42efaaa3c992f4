"""The mind of a charge point: it watches its outlets, decides what to report, and keeps transactions in order.

It knows no socket: what it has to say goes into its outbox, and requests of the central system reach it through
`simulators.requests`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from datetime import timedelta

from simulators.configuration import MEASURANDS, Configuration
from simulators.outbox import Outbox, Outgoing
from simulators.profile_store import parse_profile, seconds_of
from simulators.quirks import Quirks
from simulators.sampling import meter_value, timestamp
from simulators.station import LocalTransaction, Outlet, Station
from simulators.vehicle import Vehicle
from simulators.wire import CallError, LinkLostError, Payload
from twin_core.models.charger import ChargerSpec, ConnectorStatus
from twin_core.models.ids import IdTag
from twin_core.ports import Clock

logger = logging.getLogger(__name__)

_UNKNOWN_TRANSACTION = -1
"""Transaction id in a StopTransaction whose start was never answered; the central system has to take it anyway."""

_REMEMBERED = 1_000


class Controller:
    """One charge point's behaviour.

    Attributes:
        rebooting: set while a reset is due; the owner of the link acts on it.
        hard_stop: reason of the reset that is due, Hard or Soft.
        transactions: the latest that ran here, each with its connector's number.
    """

    def __init__(self, spec: ChargerSpec, clock: Clock, quirks: Quirks) -> None:
        now = clock.now()
        offset_s = (now.utc + timedelta(seconds=quirks.clock_skew_s)).timestamp() - now.monotonic_s
        self._clock = clock
        self.quirks = quirks
        self.station = Station(spec, quirks, at_s=now.monotonic_s, clock_offset_s=offset_s)
        self.configuration = Configuration(spec, quirks)
        self.outbox = Outbox()
        self.rebooting = asyncio.Event()
        self.hard_stop = ""
        self.transactions: deque[tuple[int, LocalTransaction]] = deque(maxlen=_REMEMBERED)
        self._reported: dict[int, ConnectorStatus] = {}
        self._tags: dict[int, IdTag] = {}
        self._remote: dict[int, tuple[IdTag, Payload | None]] = {}
        self._sampled_s: dict[int, float] = {}
        self._next_aligned_s = 0.0
        self._wake = asyncio.Event()

    # Time ------------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Bring outlets and vehicles to this moment."""
        self.station.advance(self._clock.now().monotonic_s)

    def set_clock(self, current_time: str) -> None:
        """Take the central system's time, unless this charge point goes by its own."""
        if self.quirks.clock_skew_s:
            return
        try:
            told_s = seconds_of(current_time)
        except CallError:
            logger.warning("refused", extra={"what": "currentTime", "value": current_time[:40]})
            return
        self.advance()
        self.station.clock_offset_s = told_s - self._clock.now().monotonic_s
        self.station.reconsider()

    async def live(self) -> None:
        """Notice changes and take samples, once a second while a vehicle is here, for ever."""
        while True:
            self.look()
            self._wake.clear()
            busy = any(outlet.vehicle is not None for outlet in self.station.outlets.values())
            try:
                async with asyncio.timeout(1.0 if busy else 5.0):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def look(self) -> None:
        """Report what changed and sample what is due."""
        self.advance()
        now_s = self._clock.now().monotonic_s
        for number, outlet in self.station.outlets.items():
            if self._reported.get(number) is not outlet.status:
                self.report_status(number)
            self._sample_if_due(number, outlet, now_s)
        aligned_s = self.configuration.number("ClockAlignedDataInterval")
        if aligned_s and self.station.own_s >= self._next_aligned_s:
            self._next_aligned_s = (self.station.own_s // aligned_s + 1) * aligned_s
            for number in self.station.outlets:
                self.report_sample(number, "Sample.Clock")

    def _sample_if_due(self, number: int, outlet: Outlet, now_s: float) -> None:
        """Sample a running transaction; an interval of 0 asks for no samples."""
        interval_s = self.configuration.number("MeterValueSampleInterval")
        if outlet.transaction is None or not interval_s:
            return
        due_s = self._sampled_s.get(number, now_s) + interval_s
        if now_s >= due_s:
            # Counted on from the moment that was due: a late look must not stretch the interval.
            self._sampled_s[number] = due_s if now_s < due_s + interval_s / 2 else now_s
            self.report_sample(number, "Sample.Periodic")

    # Messages --------------------------------------------------------------------------------------------------------

    def report_status(self, number: int) -> None:
        """Send StatusNotification of a connector, or of the whole charge point for 0."""
        outlet = self.station.outlets.get(number)
        status = outlet.status if outlet is not None else ConnectorStatus.AVAILABLE
        if outlet is not None:
            self._reported[number] = status
        payload = {
            "connectorId": number,
            "errorCode": "NoError",
            "status": status.value,
            "timestamp": timestamp(self.station.own_time),
        }
        self.outbox.put(Outgoing("StatusNotification", lambda: payload))

    def report_all(self) -> None:
        """Send the status of the charge point and of every connector."""
        for number in (0, *self.station.outlets):
            self.report_status(number)

    def report_sample(self, number: int, context: str) -> None:
        """Send MeterValues of a connector."""
        outlet = self.station.outlets[number]
        running = outlet.transaction
        measurands = self.configuration.measurands() or MEASURANDS[:1]
        value = meter_value(outlet, measurands, context, self.station.own_time)

        def payload() -> Payload:
            made: Payload = {"connectorId": number, "meterValue": [value]}
            if running is not None and running.id is not None:
                made["transactionId"] = running.id
            return made

        self.outbox.put(Outgoing("MeterValues", payload, durable=running is not None, sample=True))

    def identity(self) -> Payload:
        """What BootNotification says."""
        return {
            "chargePointVendor": "depot-twin",
            "chargePointModel": f"virtual-{len(self.station.outlets)}",
            "chargePointSerialNumber": self.station.spec.id[:25],
            "firmwareVersion": "1.0",
        }

    def boot_again(self) -> None:
        """Send BootNotification on a link that is already up, as TriggerMessage asks."""
        self.outbox.put(Outgoing("BootNotification", self.identity))

    def heartbeat(self) -> None:
        """Send Heartbeat and set the clock by its answer."""
        self.outbox.put(
            Outgoing("Heartbeat", dict, on_answer=lambda answer: self.set_clock(str(answer.get("currentTime"))))
        )

    async def ask(self, action: str, payload: Payload) -> Payload:
        """Send a request that is no transaction message and wait for its answer.

        Raises:
            LinkLostError, TimeoutError, CallError: there was none.
        """
        answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self.outbox.put(Outgoing(action, lambda: payload, answer=answer))
        return await answer

    # Vehicles and transactions ---------------------------------------------------------------------------------------

    async def plug(self, number: int, vehicle: Vehicle, id_tag: IdTag) -> bool:
        """A vehicle is plugged in and its driver shows a tag; whether a transaction began."""
        self.advance()
        outlet = self.station.outlets[number]
        outlet.vehicle = vehicle
        self._tags[number] = id_tag
        self.report_status(number)
        self._wake.set()
        remote = self._remote.pop(number, None)
        if remote is not None:
            self.start(number, remote[0], remote[1])
            return True
        if outlet.available and await self._authorised(id_tag) and outlet.vehicle is vehicle:
            self.start(number, id_tag)
            return True
        return False

    async def _authorised(self, id_tag: IdTag) -> bool:
        """Whether a tag may charge; without a link it may, as LocalAuthorizeOffline says."""
        try:
            answer = await self.ask("Authorize", {"idTag": id_tag})
        except (LinkLostError, TimeoutError, CallError):
            return self.configuration.text("LocalAuthorizeOffline") == "true"
        return bool(answer.get("idTagInfo", {}).get("status") == "Accepted")

    def start(self, number: int, id_tag: IdTag, profile: Payload | None = None) -> None:
        """Begin a transaction at a connector with a vehicle and none running."""
        self.advance()
        outlet = self.station.outlets[number]
        if outlet.transaction is not None or outlet.vehicle is None:
            return
        running = LocalTransaction(id_tag, self.station.own_s, round(outlet.register_kwh * 1000))
        outlet.transaction = running
        self.transactions.append((number, running))
        outlet.finishing = False
        if profile is not None:
            parsed = parse_profile(number, profile, self.station.own_s)
            self.station.profiles.install(parsed, self.station.scene(number))
        self.station.reconsider()
        payload = {
            "connectorId": number,
            "idTag": id_tag,
            "meterStart": running.meter_start_wh,
            "timestamp": timestamp(self.station.own_time),
        }
        self.outbox.put(
            Outgoing(
                "StartTransaction",
                lambda: payload,
                durable=True,
                on_answer=lambda answer: self._started(number, running, answer),
            )
        )
        self._sampled_s[number] = self._clock.now().monotonic_s
        self._wake.set()

    def _started(self, number: int, running: LocalTransaction, answer: Payload) -> None:
        identifier = answer.get("transactionId")
        running.id = identifier if isinstance(identifier, int) else None
        running.accepted = answer.get("idTagInfo", {}).get("status", "Accepted") == "Accepted"
        self.station.reconsider()
        if not running.accepted and self.station.outlets[number].transaction is running:
            self.stop(number, "DeAuthorized")

    def stop(self, number: int, reason: str) -> None:
        """End the transaction at a connector, if there is one."""
        self.advance()
        outlet = self.station.outlets[number]
        running = outlet.transaction
        if running is None:
            return
        running.meter_stop_wh = round(outlet.register_kwh * 1000)
        payload = {
            "idTag": running.id_tag,
            "meterStop": running.meter_stop_wh,
            "timestamp": timestamp(self.station.own_time),
            "reason": reason,
        }
        self.outbox.put(
            Outgoing(
                "StopTransaction",
                lambda: {"transactionId": _UNKNOWN_TRANSACTION if running.id is None else running.id, **payload},
                durable=True,
                on_answer=lambda _: setattr(running, "stop_answered", True),
            )
        )
        outlet.transaction = None
        outlet.finishing = True
        outlet.available = outlet.available and not outlet.out_of_service_next
        self.station.profiles.end_transaction(number)
        self.station.reconsider()
        self.advance()
        self._wake.set()

    def unplug(self, number: int) -> Vehicle | None:
        """The vehicle leaves; it is handed back as it is then."""
        self.stop(number, "EVDisconnected")
        outlet = self.station.outlets[number]
        if self._reported.get(number) is not outlet.status:
            self.report_status(number)
        vehicle = outlet.release()
        self._tags.pop(number, None)
        self.report_status(number)
        return vehicle

    def outlet_for(self, transaction_id: int) -> Outlet | None:
        """The outlet on which a transaction runs."""
        for outlet in self.station.outlets.values():
            if outlet.transaction is not None and outlet.transaction.id == transaction_id:
                return outlet
        return None

    def expect(self, number: int, id_tag: IdTag, profile: Payload | None) -> None:
        """Start remotely: at once where a vehicle waits, else when one is plugged in."""
        if self.station.outlets[number].vehicle is None:
            self._remote[number] = (id_tag, profile)
        else:
            self.start(number, id_tag, profile)

    # Reset -----------------------------------------------------------------------------------------------------------

    def reset(self, kind: str) -> None:
        """A reset was asked for: transactions end, and the owner of the link restarts it."""
        for number in self.station.outlets:
            self.stop(number, f"{kind}Reset")
        self.hard_stop = kind
        self.rebooting.set()

    def restarted(self) -> None:
        """Power is back after a reset."""
        self.rebooting.clear()
        if self.quirks.forgets_profiles_on_reboot:
            self.station.profiles.forget()
        self._reported.clear()

    def resume(self) -> None:
        """After a reset, vehicles that are still plugged in charge on under a new transaction."""
        for number, id_tag in list(self._tags.items()):
            if self.station.outlets[number].finishing:
                self.start(number, id_tag)
