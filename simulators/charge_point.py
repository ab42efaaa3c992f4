"""A virtual OCPP 1.6J charge point on a real WebSocket, from switch-on to switch-off."""

from __future__ import annotations

import asyncio
import base64
import logging
import random
from itertools import count
from urllib.parse import quote

from simulators import requests
from simulators.controller import Controller
from simulators.outbox import RetryRule
from simulators.quirks import Quirks
from simulators.vehicle import Vehicle
from simulators.wire import LINK_ERRORS, CallError, Link, LinkLostError, Payload, SilenceError, WireCounts, open_link
from twin_core.models.charger import ChargerSpec
from twin_core.models.ids import IdTag
from twin_core.models.quantities import PhaseCurrents
from twin_core.ports import Clock

logger = logging.getLogger(__name__)

_FIRST_BACKOFF_S = 1.0
_LONGEST_BACKOFF_S = 60.0
_REBOOT_S = 5.0
_BOOT_RETRY_S = 30.0


class ChargePoint:
    """One charge point: Core, Smart Charging and Remote Trigger.

    Attributes:
        booted: set once the central system has accepted it.
        wire: what it saw on its wire, over all links.
        links: how many links it has had.
    """

    def __init__(
        self,
        spec: ChargerSpec,
        url: str,
        *,
        clock: Clock,
        rng: random.Random,
        quirks: Quirks = Quirks(),  # noqa: B008 - frozen, so sharing it is safe
        password: str | None = None,
    ) -> None:
        """Prepare it.

        Args:
            spec: what is installed.
            url: of the central system, without the identity.
            clock: true time; its own clock is set from it at switch-on.
            rng: of this charge point alone.
            quirks: what it does unlike the standard.
            password: shown as Basic authentication (OCPP security profile 1).
        """
        self.spec = spec
        self.controller = Controller(spec, clock, quirks)
        self.booted = asyncio.Event()
        self.wire = WireCounts()
        self.links = 0
        self._url = f"{url.rstrip('/')}/{quote(spec.id, safe='')}"
        self._rng = rng
        self._clock = clock
        self._password = password
        self._ids = count(1)
        self._boots = 0

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.controller.live(), name=f"{self.spec.id}-outlets")
            tasks.create_task(self._stay_connected(), name=f"{self.spec.id}-link")

    async def plug(self, number: int, vehicle: Vehicle, id_tag: IdTag) -> bool:
        """Plug a vehicle in and show its tag; whether a transaction began."""
        return await self.controller.plug(number, vehicle, id_tag)

    def unplug(self, number: int) -> Vehicle | None:
        """Take the vehicle out."""
        return self.controller.unplug(number)

    def grid_currents(self) -> PhaseCurrents:
        """What it truly draws from each grid phase now."""
        self.controller.advance()
        return self.controller.station.grid_currents()

    @property
    def online(self) -> bool:
        """Whether it has a link on which it was accepted."""
        return self.controller.outbox.online

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            try:
                link = await open_link(
                    self._url,
                    self._handle,
                    self.wire,
                    self._next_id,
                    authorization=self._authorization(),
                    opening=self.controller.quirks.opening(self._url),
                    dress=self.controller.quirks.dress(self.controller),
                )
            except LINK_ERRORS as error:
                if failures == 0:
                    logger.warning("no central system", extra={"charger": self.spec.id, "reason": str(error)[:120]})
                failures += 1
            else:
                self.links += 1
                boots = self._boots
                await self._live_on(link)
                # A central system that takes links but accepts nobody deserves the back-off of one that is away.
                failures = 0 if self._boots > boots else failures + 1
            await asyncio.sleep(self._backoff_s(failures))

    def _backoff_s(self, failures: int) -> float:
        if self.controller.rebooting.is_set():
            self.controller.restarted()
            return _REBOOT_S
        longest = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(failures, 10))
        return longest * self._rng.uniform(0.5, 1.0)

    async def _live_on(self, link: Link) -> None:
        """Use a link until it ends, the central system falls silent, or a reset is due."""
        tasks = [
            asyncio.create_task(link.serve(), name=f"{self.spec.id}-read"),
            asyncio.create_task(self._converse(link), name=f"{self.spec.id}-talk"),
            asyncio.create_task(self._restart(link), name=f"{self.spec.id}-restart"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.controller.outbox.lost_link()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await link.close()
        for task in done:
            task.result()

    async def _restart(self, link: Link) -> None:
        """Close the link when a reset is due, after what it has to say is said."""
        await self.controller.rebooting.wait()
        await asyncio.sleep(2.0)
        await link.close()

    async def _converse(self, link: Link) -> None:
        """Boot, then say what there is to say."""
        self.controller.advance()
        must_boot = self._boots == 0 or not self.controller.quirks.is_mute_on_boot
        if must_boot and not await self._boot(link):
            return
        self._boots += 1
        outbox = self.controller.outbox
        outbox.retry = RetryRule(
            self.controller.configuration.number("TransactionMessageAttempts"),
            self.controller.configuration.number("TransactionMessageRetryInterval"),
        )
        outbox.online = True
        self.controller.report_all()
        if self.controller.hard_stop:
            self.controller.hard_stop = ""
            self.controller.resume()
        self.booted.set()
        beating = asyncio.create_task(self._beat(), name=f"{self.spec.id}-heartbeat")
        try:
            await outbox.send_all(link)
        finally:
            beating.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(max(1, self.controller.configuration.number("HeartbeatInterval")))
            self.controller.heartbeat()

    async def _boot(self, link: Link) -> bool:
        """BootNotification until it is accepted; False when the link ended before."""
        while True:
            try:
                answer = await link.call("BootNotification", self.controller.identity(), _BOOT_RETRY_S)
            except LinkLostError:
                return False
            except (CallError, TimeoutError):
                await asyncio.sleep(_BOOT_RETRY_S)
                continue
            interval = answer.get("interval")
            interval_s = interval if isinstance(interval, int) and interval > 0 else None
            if answer.get("status") == "Accepted":
                self.controller.set_clock(str(answer.get("currentTime")))
                if interval_s is not None:
                    self.controller.configuration.set("HeartbeatInterval", str(interval_s))
                return True
            await asyncio.sleep(interval_s or _BOOT_RETRY_S)

    async def _handle(self, action: str, payload: Payload) -> Payload:
        controller = self.controller
        controller.advance()
        silent_from_s = controller.quirks.silent_from_s
        if silent_from_s is not None and controller.station.uptime_s() >= silent_from_s:
            raise SilenceError
        if controller.quirks.answer_delay_s:
            await asyncio.sleep(controller.quirks.answer_delay_s)
        return requests.answer(controller, action, payload)

    def _next_id(self) -> str:
        return f"{self.spec.id[:24]}-{next(self._ids)}"

    def _authorization(self) -> str | None:
        if self._password is None:
            return None
        return "Basic " + base64.b64encode(f"{self.spec.id}:{self._password}".encode()).decode()
