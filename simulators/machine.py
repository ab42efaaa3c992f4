"""What every part of a charge point's mind stands on: outlets, settings, queue, agenda and clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from functools import partial

from simulators.agenda import Agenda
from simulators.alarm import Alarm
from simulators.configuration import Configuration
from simulators.hardware import Hardware
from simulators.outbox import Outbox, Outgoing, RetryRule
from simulators.quirks import Quirks
from simulators.sampling import timestamp
from simulators.station import Station
from simulators.wire import Payload
from twin_core.models.charger import ChargerSpec
from twin_core.ports import Clock

NOTICED_S = 1.0
"""A charge point notices within this time what changed at its outlets."""


class Registration(StrEnum):
    """What the central system said to BootNotification, OCPP 1.6 §7.38; UNKNOWN before it said anything."""

    UNKNOWN = "Unknown"
    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class Machine:
    """The ground under the parts of one charge point.

    Attributes:
        registration: what the central system thinks of this charge point.
        reserved: connectors held by a reservation of their own.
        expecting: connectors at which a remote start waits for a vehicle.
        in_service: False while the charge point as a whole is out of service.
        installing: connectors without a transaction are closed until new firmware is installed.
        powered: cleared while there is no power.
        firmware_version: what BootNotification says.
        wake: set when the charge point should look round at once, or within a while.
    """

    __slots__ = (
        "agenda",
        "clock",
        "configuration",
        "expecting",
        "firmware_version",
        "in_service",
        "installing",
        "outbox",
        "powered",
        "quirks",
        "registration",
        "reserved",
        "spec",
        "station",
        "wake",
    )

    def __init__(self, spec: ChargerSpec, clock: Clock, quirks: Quirks, hardware: Hardware) -> None:
        now = clock.now()
        offset_s = (now.utc + timedelta(seconds=quirks.clock_skew_s)).timestamp() - now.monotonic_s
        self.spec = spec
        self.clock = clock
        self.quirks = quirks
        self.station = Station(spec, quirks, at_s=now.monotonic_s, clock_offset_s=offset_s, hardware=hardware)
        self.configuration = Configuration(spec, quirks, hardware)
        self.outbox = Outbox(self._retry_rule)
        self.agenda = Agenda()
        self.registration = Registration.UNKNOWN
        self.reserved: set[int] = set()
        self.expecting: set[int] = set()
        self.in_service = True
        self.installing = False
        self.powered = asyncio.Event()
        self.powered.set()
        self.firmware_version = "1.0"
        self.wake = Alarm()
        self.station.on_reconsider = partial(self.wake.within, NOTICED_S)

    def advance(self) -> None:
        """Bring outlets and vehicles to this moment."""
        self.station.advance(self.clock.now().monotonic_s)

    def stamp(self) -> str:
        """This moment on the charge point's own clock, as OCPP writes it."""
        self.advance()
        return timestamp(self.station.own_time)

    def later(self, name: str, delay_s: float, act: Callable[[], object]) -> None:
        """Put something on the agenda, so many seconds from now."""
        self.agenda.put(name, self.clock.now().monotonic_s + delay_s, act)
        self.wake.set()

    def at_own(self, name: str, own_s: float, act: Callable[[], object]) -> None:
        """Put something on the agenda at a moment on the charge point's own clock."""
        self.later(name, own_s - self.clock.now().monotonic_s - self.station.clock_offset_s, act)

    def say(
        self, action: str, payload: Payload, *, kept: bool = False, on_answer: Callable[[Payload], None] | None = None
    ) -> None:
        """Send a request that is no transaction message; a kept one waits for the link."""
        self.outbox.put(Outgoing(action, lambda: payload, kept=kept, on_answer=on_answer))

    async def ask(self, action: str, payload: Payload) -> Payload:
        """Send a request that is no transaction message and wait for its answer.

        Raises:
            LinkLostError, TimeoutError, CallError: there was none.
        """
        answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self.outbox.put(Outgoing(action, lambda: payload, answer=answer))
        return await answer

    def _retry_rule(self) -> RetryRule:
        return RetryRule(
            self.configuration.number("TransactionMessageAttempts"),
            self.configuration.number("TransactionMessageRetryInterval"),
        )
