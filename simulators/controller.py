"""The mind of a charge point: its parts, and what concerns all of them: registration, restarts, power.

It knows no socket: what it has to say goes into its outbox, and requests of the central system reach it through
`simulators.requests`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable

from simulators.authorisation import Authorisation
from simulators.certificates import Certificates
from simulators.configuration import Configuration
from simulators.diagnostics import Diagnostics
from simulators.firmware import Firmware
from simulators.hardware import Hardware
from simulators.machine import Machine, Registration
from simulators.outbox import Gate, Outbox, Outgoing
from simulators.profile_store import seconds_of
from simulators.quirks import Quirks
from simulators.reports import Reports
from simulators.reservations import Reservations
from simulators.sessions import Sessions
from simulators.station import LocalTransaction, Outlet, Station
from simulators.wire import CallError, Payload
from twin_core.models.charger import ChargerSpec
from twin_core.ports import Clock

logger = logging.getLogger(__name__)

_BOOT_RETRY_S = 30.0
_RESET_RETRY_S = 5.0
_LONGEST_IDLE_S = 300.0
_SHORTEST_WAIT_S = 1e-3
_EARLIEST_S, _LATEST_S = 946_684_800.0, 4_102_444_800.0
"""A central system that says it is not between 2000 and 2100 is not believed."""


class Controller:
    """One charge point's behaviour.

    Attributes:
        rebooting: a restart is due, or under way.
        boots: how often it was accepted.
        booted: set once it was accepted.
        restart_link: called with the kind of restart that is due; the owner of the link then closes it.
        ping_link: called when a ping is due.
        has_password: it has something to show for security profile 1.
    """

    def __init__(self, spec: ChargerSpec, clock: Clock, quirks: Quirks, hardware: Hardware) -> None:
        machine = Machine(spec, clock, quirks, hardware)
        self.machine = machine
        self.reports = Reports(machine)
        self.authorisation = Authorisation(machine)
        self.reservations = Reservations(machine, self.authorisation)
        self.sessions = Sessions(machine, self.reports, self.authorisation, self.reservations)
        self.firmware = Firmware(machine, self.reports, self.sessions, self.reset)
        self.diagnostics = Diagnostics(machine)
        self.certificates = Certificates(machine, self.reports)
        self.rebooting = False
        self.booted = asyncio.Event()
        self.boots = 0
        self.restart_link: Callable[[str], None] = lambda kind: None
        self.ping_link: Callable[[], None] = lambda: None
        self.has_password = False
        self._interruption = ""
        self._start_again = False
        self._failing_resets = hardware.failing_resets

    @property
    def powered(self) -> asyncio.Event:
        """Cleared while there is no power."""
        return self.machine.powered

    @property
    def quirks(self) -> Quirks:
        """What it does unlike the standard."""
        return self.machine.quirks

    @property
    def station(self) -> Station:
        """Its outlets, supply and profiles."""
        return self.machine.station

    @property
    def configuration(self) -> Configuration:
        """Its configuration keys."""
        return self.machine.configuration

    @property
    def outbox(self) -> Outbox:
        """What it has to say."""
        return self.machine.outbox

    @property
    def transactions(self) -> deque[tuple[int, LocalTransaction]]:
        """The latest that ran here, each with its connector's number."""
        return self.sessions.history

    # Time ------------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Bring outlets and vehicles to this moment."""
        self.machine.advance()

    async def live(self) -> None:
        """Notice changes, take samples and do what is due, for ever; nothing happens without power."""
        wake = self.machine.wake
        while True:
            await self.powered.wait()
            self.look()
            due_s = self.machine.agenda.next_s - self.machine.clock.now().monotonic_s
            await wake.sleep(max(_SHORTEST_WAIT_S, min(due_s, self.reports.next_look_s(), _LONGEST_IDLE_S)))

    def look(self) -> None:
        """Do what is due, report what changed and take samples."""
        if self.powered.is_set():
            self.advance()
            self.machine.agenda.run_due(self.machine.clock.now().monotonic_s)
            self.sessions.look()
            self.reports.look()

    def set_clock(self, current_time: str) -> None:
        """Take the central system's time, unless this charge point goes by its own."""
        if self.quirks.clock_skew_s:
            return
        try:
            told_s = seconds_of(current_time)
        except CallError:
            told_s = math.nan
        if not _EARLIEST_S <= told_s <= _LATEST_S:
            logger.warning("refused", extra={"what": "currentTime", "value": current_time[:40]})
            return
        self.advance()
        self.station.set_clock(told_s)

    # Registration ----------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """There is a link: register first."""
        self.advance()
        self._schedule_ping()
        if self.boots and self.quirks.is_mute_on_boot:
            self._accepted()
            return
        self.machine.registration = Registration.UNKNOWN
        self.outbox.set_gate(Gate.ASKED)
        self.boot()

    def disconnected(self) -> None:
        """The link is gone."""
        self.outbox.set_gate(Gate.CLOSED)
        self.machine.agenda.cancel("boot")
        self.machine.agenda.cancel("heartbeat")
        self.machine.agenda.cancel("ping")

    def boot(self) -> None:
        """Send BootNotification, on a new link or because a trigger asks for it."""
        self.machine.agenda.cancel("boot")
        message = Outgoing("BootNotification", self.reports.identity, asked=True)
        message.on_answer, message.on_failure = self._registered, self._boot_later
        self.outbox.put(message)

    def _boot_later(self, delay_s: float = _BOOT_RETRY_S) -> None:
        self.machine.later("boot", delay_s, self.boot)

    def _registered(self, answer: Payload) -> None:
        """Go by the answer to BootNotification; one that is no answer counts as a rejection."""
        interval = answer.get("interval")
        interval_s = interval if isinstance(interval, int) and interval > 0 else None
        if answer.get("status") == Registration.ACCEPTED:
            self.set_clock(str(answer.get("currentTime")))
            if interval_s is not None:
                self.configuration.set("HeartbeatInterval", str(interval_s))
            self._accepted()
            return
        pending = answer.get("status") == Registration.PENDING
        self.machine.registration = Registration.PENDING if pending else Registration.REJECTED
        self.machine.agenda.cancel("heartbeat")
        self.outbox.set_gate(Gate.ASKED)
        self._boot_later(interval_s or _BOOT_RETRY_S)

    def _accepted(self) -> None:
        already = self.outbox.online
        self.machine.registration = Registration.ACCEPTED
        self.outbox.set_gate(Gate.OPEN)
        self._schedule_heartbeat()
        if already:
            return
        if self.boots == 0 and self.configuration.number("SecurityProfile"):
            self.reports.security_event("StartupOfTheDevice")
        self.boots += 1
        self.reports.all_statuses()
        if self._start_again:
            self._start_again = False
            self.sessions.start_again()
        self.booted.set()

    def heartbeat(self) -> None:
        """Send Heartbeat and set the clock by its answer."""
        self.machine.say("Heartbeat", {}, on_answer=lambda answer: self.set_clock(str(answer.get("currentTime"))))

    def _schedule_heartbeat(self) -> None:
        self.machine.later("heartbeat", max(1, self.configuration.number("HeartbeatInterval")), self._beat)

    def _beat(self) -> None:
        self.heartbeat()
        self._schedule_heartbeat()

    def _schedule_ping(self) -> None:
        interval_s = self.configuration.number("WebSocketPingInterval")
        if interval_s:
            self.machine.later("ping", interval_s, self._ping)
        else:
            self.machine.agenda.cancel("ping")

    def _ping(self) -> None:
        self.ping_link()
        self._schedule_ping()

    def reconfigured(self, key: str) -> None:
        """A key has a new value: what goes by it is put right at once."""
        self.machine.wake.set()
        if key == "HeartbeatInterval" and "heartbeat" in self.machine.agenda:
            self._schedule_heartbeat()
        elif key == "WebSocketPingInterval":
            self._schedule_ping()
        elif key == "AuthorizationKey":
            self.has_password = True
            self.reports.security_event("ReconfigurationOfSecurityParameters", key)
            self.restart_link("password")

    async def transfer(self, vendor: str, message: str, data: str) -> Payload:
        """Send DataTransfer and return its answer.

        Raises:
            LinkLostError, TimeoutError, CallError: there was none.
        """
        return await self.machine.ask("DataTransfer", {"vendorId": vendor, "messageId": message, "data": data})

    # Transactions ----------------------------------------------------------------------------------------------------

    def stop(self, number: int, reason: str) -> None:
        """End the transaction at a connector, if there is one."""
        self.sessions.stop(number, reason)

    def outlet_for(self, transaction_id: int) -> Outlet | None:
        """The outlet on which a transaction runs."""
        return self.sessions.outlet_for(transaction_id)

    # Restarts and power ----------------------------------------------------------------------------------------------

    def reset(self, kind: str, *, attempt: int = 0) -> None:
        """Restart: Soft ends transactions first, Hard tells of them afterwards, Reboot is ours after an update.

        An attempt that fails changes nothing; after `ResetRetries` more of them the central system is told.
        """
        if self._failing_resets:
            self._failing_resets -= 1
            if attempt < self.configuration.number("ResetRetries"):
                self.machine.later("reset", _RESET_RETRY_S, lambda: self.reset(kind, attempt=attempt + 1))
            else:
                self.reports.status(0, "ResetFailure")
            return
        if self.configuration.number("SecurityProfile"):
            self.reports.security_event("ResetOrReboot", kind)
        if kind == "Hard":
            self._interruption = "HardReset"
            self.sessions.interrupt()
            self.outbox.set_gate(Gate.CLOSED)
        else:
            self.sessions.stop_all("SoftReset" if kind == "Soft" else kind)
        self.rebooting = True
        self.restart_link(kind)

    def restarted(self) -> None:
        """It is up again after a reset."""
        self.rebooting = False
        self._start_again = True
        self._came_up(resume=False)

    def cut_power(self) -> None:
        """The power goes: what runs is interrupted and nothing more is said."""
        self._interruption = "PowerLoss"
        self.sessions.interrupt()
        self.outbox.set_gate(Gate.CLOSED)
        self.powered.clear()

    def return_power(self) -> None:
        """The power is back; transactions go on or end, as the configuration says."""
        self.advance()
        self.powered.set()
        self._came_up(resume=self.configuration.flag("ContinueTransactionAfterPowerLoss"))

    def _came_up(self, *, resume: bool) -> None:
        self.configuration.restarted()
        if self.quirks.forgets_profiles_on_reboot:
            self.station.profiles.forget()
        self.reports.forget()
        self.sessions.power_back(self._interruption or "Reboot", resume=resume)
        self._interruption = ""
        self.firmware.restarted()
        self.diagnostics.restarted()
