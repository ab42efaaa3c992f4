"""A virtual OCPP 1.6J charge point on a real WebSocket, from switch-on to switch-off."""

from __future__ import annotations

import asyncio
import base64
import logging
import random
import re
from itertools import count
from urllib.parse import quote

from simulators import requests
from simulators.controller import Controller
from simulators.credentials import Credentials
from simulators.hardware import Hardware
from simulators.machine import NOTICED_S
from simulators.pilot import PilotFault
from simulators.quirks import Quirks
from simulators.quirks.socket import dressed
from simulators.signing_request import private_key
from simulators.vehicle import Vehicle
from simulators.wire import LINK_ERRORS, Link, Payload, SilenceError, WireCounts, open_link
from twin_core.models.charger import ChargerSpec
from twin_core.models.ids import IdTag
from twin_core.models.quantities import PhaseCurrents
from twin_core.ports import Clock

logger = logging.getLogger(__name__)

_HEX_KEY = re.compile(r"([0-9A-Fa-f]{2}){16,20}")
"""A password of 16 to 20 bytes in hexadecimal, as the security extension has an AuthorizationKey written."""
_FIRST_BACKOFF_S = 1.0
_LONGEST_BACKOFF_S = 60.0
_REBOOT_S = 5.0
_ANSWER_S = 0.5
"""Time an answer needs to leave before its link is closed."""
_FLUSH_S = 10.0
"""Time a soft restart gives transaction messages to be answered; what is not stays for the next link."""


class ChargePoint:
    """One charge point, all profiles of OCPP 1.6 and its security extension.

    Attributes:
        wire: what it saw on its wire, over all links.
        links: how many links it has had.
        in_reach: False while the network between is gone.
    """

    def __init__(
        self,
        spec: ChargerSpec,
        url: str,
        *,
        clock: Clock,
        rng: random.Random,
        quirks: Quirks = Quirks(),  # noqa: B008 - frozen, so sharing it is safe
        hardware: Hardware = Hardware(),  # noqa: B008
        password: str | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        """Prepare it.

        Args:
            spec: what is installed.
            url: of the central system, without the identity.
            clock: true time; its own clock is set from it at switch-on.
            rng: of this charge point alone.
            quirks: what it does unlike the standard.
            hardware: its maker's choices.
            password: shown as Basic authentication (OCPP security profiles 1 and 2).
            credentials: what it trusts and shows in TLS (profiles 2 and 3).
        """
        self.spec = spec
        self.controller = Controller(spec, clock, quirks, hardware)
        self.controller.restart_link = self._restart_link
        self.controller.ping_link = self._ping_link
        if password is not None:
            self.controller.has_password = True
            self.controller.configuration.preset("SecurityProfile", "1")
        if credentials is not None:
            self.controller.configuration.preset("SecurityProfile", str(credentials.profile))
            self.controller.certificates.takes = self._certified
        self.wire = WireCounts()
        self.links = 0
        self.in_reach = True
        self._url = f"{url.rstrip('/')}/{quote(spec.id, safe='')}"
        self._rng = rng
        self._password = password
        self._credentials = credentials
        self._ids = count(1)
        self._link: Link | None = None
        self._closing: asyncio.Task[None] | None = None
        self._pinging: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.controller.live(), name=f"{self.spec.id}-outlets")
            await self._stay_connected()

    async def plug(self, number: int, vehicle: Vehicle, id_tag: IdTag) -> bool:
        """Plug a vehicle in and show its tag; whether a transaction runs."""
        return await self.controller.sessions.plug(number, vehicle, id_tag)

    async def swipe(self, number: int, id_tag: IdTag) -> bool:
        """Show a tag: to stop the transaction it may stop, to free a cable, or to start one; whether it did."""
        return await self.controller.sessions.swipe(number, id_tag)

    def unplug(self, number: int) -> Vehicle | None:
        """Unplug the cable at the vehicle."""
        return self.controller.sessions.unplug(number)

    async def leave(self, number: int, id_tag: IdTag) -> Vehicle | None:
        """Unplug the cable at the vehicle, and show a tag where a transaction or the cable would stay behind."""
        return await self.controller.sessions.leave(number, id_tag)

    def lose_network(self) -> None:
        """The network between is gone: the link breaks, and no other can be opened."""
        self.in_reach = False
        if self._link is not None:
            self._link.abort()

    def break_connector(self, number: int, fault: PilotFault) -> None:
        """Something breaks at a connector."""
        self.controller.advance()
        self.controller.station.fail(number, fault)
        self.controller.machine.wake.set()

    def mend_connector(self, number: int, fault: PilotFault) -> None:
        """What was broken at a connector is whole again; what else is broken there stays so."""
        self.controller.advance()
        self.controller.station.mend(number, fault)
        self.controller.machine.wake.set()

    def cut_power(self) -> None:
        """The supply fails: the link breaks without a word and nothing is offered."""
        self.controller.cut_power()
        if self._link is not None:
            self._link.abort()

    def return_power(self) -> None:
        """The supply is back: it boots."""
        self.controller.return_power()

    def grid_currents(self) -> PhaseCurrents:
        """What it truly draws from each grid phase now."""
        self.controller.advance()
        return self.controller.station.grid_currents()

    @property
    def booted(self) -> asyncio.Event:
        """Set once the central system has accepted it."""
        return self.controller.booted

    @property
    def online(self) -> bool:
        """Whether it has a link on which it was accepted."""
        return self.controller.outbox.online

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            await self.controller.powered.wait()
            if self.controller.rebooting:
                self.controller.restarted()
            try:
                if not self.in_reach:
                    raise OSError("no network")
                link = await open_link(
                    self._url,
                    self._handle,
                    self.wire,
                    self._next_id,
                    authorization=self._authorization(),
                    tls=None if self._credentials is None else self._credentials.context(),
                    opening=self.controller.quirks.opening(self._url),
                    dress=dressed(self.controller),
                )
            except LINK_ERRORS as error:
                if failures == 0:
                    logger.warning("no central system", extra={"charger": self.spec.id, "reason": str(error)[:120]})
                failures += 1
            else:
                self.links += 1
                boots = self.controller.boots
                await self._live_on(link)
                # A central system that takes links but accepts nobody deserves the back-off of one that is away.
                failures = 0 if self.controller.boots > boots else failures + 1
            await asyncio.sleep(self._backoff_s(failures))

    def _backoff_s(self, failures: int) -> float:
        if self.controller.rebooting:
            return _REBOOT_S
        longest = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(failures, 10))
        return longest * self._rng.uniform(0.5, 1.0)

    async def _live_on(self, link: Link) -> None:
        """Use a link until it ends, the central system falls silent, or a restart is due."""
        self._link = link
        try:
            async with asyncio.TaskGroup() as tasks:
                if self.controller.powered.is_set() and self.in_reach:
                    if self.controller.rebooting:
                        self.controller.restarted()
                    self.controller.connected()
                    talking = tasks.create_task(self.controller.outbox.send_all(link), name=f"{self.spec.id}-talk")
                    await link.serve()
                    talking.cancel()
        finally:
            self._link = None
            if self._closing is not None:
                self._closing.cancel()
            self.controller.disconnected()
            await link.close()

    def _restart_link(self, kind: str) -> None:
        """A restart is due: the link goes, and the next one begins anew."""
        if self._link is not None:
            self._closing = asyncio.create_task(self._close(self._link, kind), name=f"{self.spec.id}-restart")

    def _ping_link(self) -> None:
        if self._link is not None:
            self._pinging = asyncio.create_task(self._link.ping(), name=f"{self.spec.id}-ping")

    async def _close(self, link: Link, kind: str) -> None:
        """Close a link once the request that asks for it is answered and, unless in a hurry, everything is said."""
        await asyncio.sleep(_ANSWER_S)
        waits = 0 if kind == "Hard" else _FLUSH_S
        while waits > 0 and self.controller.outbox.waiting_transactions:
            await asyncio.sleep(_ANSWER_S)
            waits -= _ANSWER_S
        await link.close()

    async def _handle(self, action: str, payload: Payload) -> Payload:
        controller = self.controller
        controller.advance()
        silent_from_s = controller.quirks.silent_from_s
        if silent_from_s is not None and controller.station.uptime_s() >= silent_from_s:
            raise SilenceError
        if controller.quirks.answer_delay_s:
            await asyncio.sleep(controller.quirks.answer_delay_s)
        if requests.has_unknown_fields(action, payload):
            self.wire.extra[action] += 1
        controller.machine.wake.within(NOTICED_S)
        return requests.answer(controller, action, payload)

    def _next_id(self) -> str:
        return f"{self.spec.id[:24]}-{next(self._ids)}"

    def _certified(self, chain: str) -> bool:
        """A certificate of its own was signed: shown from the next connection on, where it fits the key."""
        if self._credentials is None:
            return True
        try:
            self._credentials.renew(chain, private_key(self.spec.id))
        except ValueError:
            return False
        return True

    def _authorization(self) -> str | None:
        key = self.controller.configuration.text("AuthorizationKey")
        password = password_of(key) if key else (self._password or "").encode()
        if not password:
            return None
        return "Basic " + base64.b64encode(self.spec.id.encode() + b":" + password).decode()


def password_of(key: str) -> bytes:
    """The password that an AuthorizationKey means: the bytes it writes in hexadecimal, or the text it is."""
    return bytes.fromhex(key) if _HEX_KEY.fullmatch(key) else key.encode()
