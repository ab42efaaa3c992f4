"""Vehicles and transactions of a charge point: plugged in, authorised, started, stopped, cut short, taken up again."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from simulators.authorisation import Authorisation, is_accepted
from simulators.expected import Expected, RemoteStart
from simulators.machine import Machine
from simulators.outbox import Outgoing
from simulators.profile_store import ACCEPTED, parse_profile
from simulators.reports import Reports
from simulators.reservations import Reservations
from simulators.station import LocalTransaction, Outlet
from simulators.vehicle import Vehicle
from simulators.wire import Payload
from twin_core.models.charger import ProfilePurpose
from twin_core.models.ids import IdTag
from twin_core.models.quantities import power_kw

logger = logging.getLogger(__name__)

_UNKNOWN_TRANSACTION = -1
"""Transaction id in a StopTransaction whose start was never answered; the central system has to take it anyway."""
_REMEMBERED = 1_000
_SHOWN_BY_DRIVER = frozenset({"Local", "EVDisconnected"})
"""Reasons for which a driver's tag is in StopTransaction; otherwise the charge point stopped by itself."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """A transaction as it stood when it ended, or when the power went."""

    running: LocalTransaction
    meter_wh: int
    stamp: str


class Sessions:
    """The transactions of one charge point.

    Attributes:
        history: the latest that ran here, each with its connector's number.
    """

    __slots__ = (
        "_authorisation",
        "_expected",
        "_interrupted",
        "_machine",
        "_reports",
        "_reservations",
        "_tags",
        "_tasks",
        "history",
    )

    def __init__(
        self, machine: Machine, reports: Reports, authorisation: Authorisation, reservations: Reservations
    ) -> None:
        self._machine = machine
        self._reports = reports
        self._authorisation = authorisation
        self._reservations = reservations
        self._tags: dict[int, IdTag] = {}
        self._expected = Expected(machine)
        self._interrupted: dict[int, _Ended] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.history: deque[tuple[int, LocalTransaction]] = deque(maxlen=_REMEMBERED)

    # The driver ------------------------------------------------------------------------------------------------------

    async def plug(self, number: int, vehicle: Vehicle, id_tag: IdTag) -> bool:
        """A vehicle is plugged in and its driver shows a tag; whether a transaction runs.

        One that runs without a vehicle, as `StopTransactionOnEVSideDisconnect` allows, goes on, whoever is plugged in.
        """
        machine = self._machine
        outlet = machine.station.outlets[number]
        machine.advance()
        vehicle.arrive(machine.clock.now().monotonic_s)
        outlet.vehicle = vehicle
        outlet.locked = False
        machine.station.reconsider()
        machine.wake.set()
        if not machine.powered.is_set() or outlet.transaction is not None:
            return outlet.transaction is not None
        self._tags[number] = id_tag
        expected = self._expected.take(number)
        self._reports.notice(number)
        if expected is not None and self._open_to(outlet, expected.id_tag):
            self._tags[number] = expected.id_tag
            self.start(number, expected.id_tag, expected.profile)
            return True
        if not self._open_to(outlet, id_tag):
            return False
        if await self._authorisation.permits(id_tag) and outlet.vehicle is vehicle and self._open_to(outlet, id_tag):
            self.start(number, id_tag)
        return outlet.transaction is not None

    async def swipe(self, number: int, id_tag: IdTag) -> bool:
        """A driver shows a tag: it stops the transaction or frees the cable it may, or starts one; whether it did."""
        outlet = self._machine.station.outlets[number]
        running = outlet.transaction
        if not self._machine.powered.is_set():
            return False
        if outlet.locked and running is None:
            return self._take_cable(number, id_tag)
        if running is None:
            vehicle = outlet.vehicle
            if vehicle is None or not self._open_to(outlet, id_tag) or not await self._authorisation.permits(id_tag):
                return False
            if outlet.vehicle is not vehicle or not self._open_to(outlet, id_tag):
                return False
            self._tags[number] = id_tag
            self.start(number, id_tag)
            return True
        # The tag that started may always stop; another only when it is permitted and of the same group.
        if id_tag != running.id_tag and not await self._authorisation.permits(id_tag):
            return False
        if outlet.transaction is not running or not self._authorisation.same_group(id_tag, running.id_tag):
            return False
        self.stop(number, "Local", id_tag)
        return True

    def unplug(self, number: int) -> Vehicle | None:
        """The cable is unplugged at the vehicle, which is handed back.

        A cable that the vehicle brought stays locked in here while the transaction goes on, and where
        `UnlockConnectorOnEVSideDisconnect` says so also when this ends it.
        """
        configuration = self._machine.configuration
        outlet = self._machine.station.outlets[number]
        self._machine.advance()
        was_running = outlet.transaction is not None
        if configuration.flag("StopTransactionOnEVSideDisconnect"):
            self.stop(number, "EVDisconnected")
        self._reports.notice(number)
        vehicle = outlet.release()
        if vehicle is not None and vehicle.proximity_ohm is not None and was_running:
            unlocks = configuration.flag("UnlockConnectorOnEVSideDisconnect")
            outlet.locked = outlet.transaction is not None or not unlocks
        if outlet.transaction is None and not outlet.locked:
            self._tags.pop(number, None)
        self._machine.station.reconsider()
        self._reports.notice(number)
        return vehicle

    async def leave(self, number: int, id_tag: IdTag) -> Vehicle | None:
        """As `unplug`, by a driver who leaves neither a transaction nor a cable behind: a tag ends both."""
        outlet = self._machine.station.outlets[number]
        ends_it = self._machine.configuration.flag("StopTransactionOnEVSideDisconnect")
        if outlet.transaction is not None and not ends_it:
            await self.swipe(number, id_tag)
        vehicle = self.unplug(number)
        if outlet.locked:
            await self.swipe(number, id_tag)
        return vehicle

    def unlock(self, number: int) -> None:
        """Let go of the cable; a transaction that runs there ends first."""
        self.stop(number, "UnlockCommand")
        self._machine.station.outlets[number].locked = False
        self._reports.notice(number)

    def _take_cable(self, number: int, id_tag: IdTag) -> bool:
        if not self._authorisation.same_group(id_tag, self._tags.get(number, id_tag)):
            return False
        self._tags.pop(number, None)
        self.unlock(number)
        return True

    def _open_to(self, outlet: Outlet, id_tag: str) -> bool:
        machine = self._machine
        closed = outlet.transaction is not None or outlet.locked or outlet.fault is not None
        if closed or not outlet.available or machine.installing or not machine.powered.is_set():
            return False
        return not self._reservations.blocks(outlet.number, id_tag)

    # Remote start and stop -------------------------------------------------------------------------------------------

    def remote_start(self, payload: Payload) -> Payload:
        """Answer RemoteStartTransaction; it starts at once where a vehicle waits, else when one is plugged in."""
        id_tag, profile = IdTag(payload["idTag"]), payload.get("chargingProfile")
        number = self._free_for(id_tag, payload.get("connectorId"))
        if number is None:
            return {"status": "Rejected"}
        if profile is not None:
            parsed = parse_profile(number, profile, self._machine.station.own_s)
            if parsed.purpose is not ProfilePurpose.TX:
                return {"status": "Rejected"}
        if self._machine.configuration.flag("AuthorizeRemoteTxRequests"):
            asking = asyncio.create_task(self._expect_if_permitted(number, id_tag, profile))
            self._tasks.add(asking)
            asking.add_done_callback(self._tasks.discard)
        else:
            self._expect(number, id_tag, profile)
        return {"status": "Accepted"}

    def remote_stop(self, payload: Payload) -> Payload:
        """Answer RemoteStopTransaction."""
        outlet = self.outlet_for(payload["transactionId"])
        if outlet is None:
            return {"status": "Rejected"}
        self.stop(outlet.number, "Remote")
        return {"status": "Accepted"}

    def outlet_for(self, transaction_id: int) -> Outlet | None:
        """The outlet on which a transaction runs."""
        for outlet in self._machine.station.outlets.values():
            if outlet.transaction is not None and outlet.transaction.id == transaction_id:
                return outlet
        return None

    def _free_for(self, id_tag: IdTag, wanted: int | None) -> int | None:
        """The connector for a remote start: one with a vehicle before one without."""
        open_ones = [
            outlet
            for number, outlet in self._machine.station.outlets.items()
            if wanted in (None, number)
            and number not in self._expected
            and not outlet.finishing
            and self._open_to(outlet, id_tag)
        ]
        open_ones.sort(key=lambda outlet: outlet.vehicle is None)
        return open_ones[0].number if open_ones else None

    async def _expect_if_permitted(self, number: int, id_tag: IdTag, profile: Payload | None) -> None:
        permitted = await self._authorisation.permits(id_tag)
        if permitted and self._free_for(id_tag, number) is not None:
            self._expect(number, id_tag, profile)

    def _expect(self, number: int, id_tag: IdTag, profile: Payload | None) -> None:
        if self._machine.station.outlets[number].vehicle is not None:
            self._tags[number] = id_tag
            self.start(number, id_tag, profile)
            return
        self._expected.put(number, RemoteStart(id_tag, profile))

    # Transactions ----------------------------------------------------------------------------------------------------

    def start(self, number: int, id_tag: IdTag, profile: Payload | None = None) -> None:
        """Begin a transaction at a connector with a vehicle and none running."""
        machine = self._machine
        machine.advance()
        outlet = machine.station.outlets[number]
        if outlet.transaction is not None or outlet.vehicle is None:
            return
        running = LocalTransaction(id_tag, machine.station.own_s, round(outlet.register_kwh * 1000))
        outlet.transaction = running
        self.history.append((number, running))
        outlet.finishing = False
        if profile is not None:
            self._install(number, profile)
        machine.station.reconsider()
        reservation = self._reservations.usable(number, id_tag)
        payload = self._reports.started(number, running, None if reservation is None else reservation.id)
        if reservation is not None:
            self._reservations.end(reservation.id)
        self._put("StartTransaction", payload, lambda answer: self._started(number, running, answer))
        self._reports.begin_sampling(number)
        self._reports.transaction_data.begin(number, self._reports.reading(number))
        machine.wake.set()

    def _put(self, action: str, payload: Payload, on_answer: Callable[[Payload], None]) -> None:
        self._machine.outbox.put(Outgoing(action, lambda: payload, durable=True, on_answer=on_answer))

    def _install(self, number: int, profile: Payload) -> None:
        station = self._machine.station
        status = station.profiles.install(parse_profile(number, profile, station.own_s), station.scene(number))
        if status != ACCEPTED:
            logger.warning("refused", extra={"what": "profile of a remote start", "connector": number})

    def _started(self, number: int, running: LocalTransaction, answer: Payload) -> None:
        identifier = answer.get("transactionId")
        running.id = identifier if isinstance(identifier, int) else None
        self._authorisation.learn(running.id_tag, answer)
        if not is_accepted(answer):
            outlet = self._machine.station.outlets[number]
            running.supply_until_wh = _register_wh(outlet) + self._machine.configuration.number("MaxEnergyOnInvalidId")
        self.look()
        self._machine.station.reconsider()

    def look(self) -> None:
        """End the supply of those whose tag was found invalid and who have had what they may still have."""
        for number, outlet in self._machine.station.outlets.items():
            running = outlet.transaction
            if running is None or running.supply_until_wh is None or not running.accepted:
                continue
            until_next_look_wh = power_kw(sum(outlet.metered_currents()), 1) / 3.6
            if _register_wh(outlet) + until_next_look_wh >= running.supply_until_wh:
                running.accepted = False
                if outlet.vehicle is not None:
                    outlet.vehicle.cut()
                self._machine.station.reconsider()
                if self._machine.configuration.flag("StopTransactionOnInvalidId"):
                    self.stop(number, "DeAuthorized")

    def stop(self, number: int, reason: str, id_tag: IdTag | None = None) -> None:
        """End the transaction at a connector, if there is one; `id_tag` is the one shown to stop it."""
        machine = self._machine
        machine.advance()
        outlet = machine.station.outlets[number]
        running = outlet.transaction
        if running is None:
            return
        self._reports.transaction_data.add(number, self._reports.reading(number), "Transaction.End")
        shown = (id_tag or running.id_tag) if reason in _SHOWN_BY_DRIVER else None
        self._tell_end(number, reason, _Ended(running, _register_wh(outlet), machine.stamp()), shown)
        outlet.transaction = None
        outlet.finishing = outlet.vehicle is not None
        outlet.locked = outlet.locked and reason == "DeAuthorized"
        outlet.available = outlet.available and not outlet.out_of_service_next
        machine.station.profiles.end_transaction(number)
        machine.station.reconsider()
        machine.advance()
        machine.wake.set()

    def _tell_end(self, number: int, reason: str, ended: _Ended, id_tag: IdTag | None = None) -> None:
        """Put StopTransaction into the queue, its transaction id as it is known when it is sent."""
        running = ended.running
        running.meter_stop_wh = ended.meter_wh
        payload: Payload = {"meterStop": ended.meter_wh, "timestamp": ended.stamp, "reason": reason}
        if id_tag is not None:
            payload["idTag"] = id_tag
        values = self._reports.transaction_data.end(number)
        if values:
            payload["transactionData"] = values

        def answered(answer: Payload) -> None:
            running.stop_answered = True
            self._authorisation.learn(running.id_tag, answer)

        def made() -> Payload:
            return {"transactionId": _UNKNOWN_TRANSACTION if running.id is None else running.id, **payload}

        self._machine.outbox.put(Outgoing("StopTransaction", made, durable=True, on_answer=answered))

    # Interruptions ---------------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """The power goes: nothing is said, nothing is offered, and what ran is remembered."""
        machine = self._machine
        stamp = machine.stamp()
        self._expected.forget()
        for number, outlet in machine.station.outlets.items():
            if outlet.transaction is not None:
                self._interrupted[number] = _Ended(outlet.transaction, _register_wh(outlet), stamp)
                outlet.transaction = None
        machine.station.reconsider()
        machine.advance()

    def power_back(self, reason: str, *, resume: bool) -> None:
        """Take up what was interrupted, where the vehicle is still here, or end it as of the interruption."""
        station = self._machine.station
        waits = not self._machine.configuration.flag("StopTransactionOnEVSideDisconnect")
        for number, interrupted in self._interrupted.items():
            outlet = station.outlets[number]
            if resume and (waits or outlet.vehicle is not None) and outlet.transaction is None:
                outlet.transaction = interrupted.running
                self._reports.begin_sampling(number)
                continue
            self._tell_end(number, reason, interrupted)
            outlet.finishing = outlet.vehicle is not None and outlet.transaction is None
            outlet.available = outlet.available and not outlet.out_of_service_next
            station.profiles.end_transaction(number)
        self._interrupted.clear()
        station.reconsider()
        self._machine.wake.set()

    def start_again(self) -> None:
        """After a reset, vehicles that are still plugged in charge on under a new transaction."""
        for number, id_tag in list(self._tags.items()):
            outlet = self._machine.station.outlets[number]
            if outlet.finishing and outlet.available:
                self.start(number, id_tag)

    def stop_all(self, reason: str) -> None:
        """End every transaction."""
        for number in self._machine.station.outlets:
            self.stop(number, reason)

    def running(self) -> bool:
        """Whether any transaction runs."""
        return any(outlet.transaction is not None for outlet in self._machine.station.outlets.values())


def _register_wh(outlet: Outlet) -> int:
    return round(outlet.register_kwh * 1000)
