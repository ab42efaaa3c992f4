"""The local controller: one relay for each charger, and nothing of it in the way of control."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from connectors.ocpp.charger import Charger
from connectors.ocpp.upstream.relay import CallCharger, Relay
from connectors.ocpp.upstream.routes import Route, with_upstream
from connectors.ocpp.upstream.settings import UpstreamSettings, shown_url
from connectors.ocpp.upstream.snapshot import UpstreamSnapshot
from twin_core.models.charger import ChargerSpec
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId
from twin_core.ports import Clock, EventSink, UpstreamLedger

logger = logging.getLogger(__name__)


class Upstream:
    """Forwards chargers to a second central system. Use as an async context manager, outside the central system's.

    Args:
        chargers: those known beforehand; others get their relay when they connect.
        rng: spreads the attempts to connect.

    Raises:
        StorageError: on entering, when what was kept cannot be read.
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        chargers: tuple[ChargerSpec, ...],
        *,
        clock: Clock,
        sink: EventSink,
        ledger: UpstreamLedger,
        rng: random.Random | None = None,
    ) -> None:
        self._settings = settings
        self._chargers = chargers
        self._clock = clock
        self._sink = sink
        self._ledger = ledger
        self._rng = rng or random.Random()
        self._relays: dict[ChargerId, Relay] = {}
        self._backlog: dict[ChargerId, int] = {}
        self._profiles: dict[ChargerId, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._attached: dict[ChargerId, object] = {}

    async def __aenter__(self) -> Self:
        """Take back what was kept, and deliver what waits."""
        self._backlog, self._profiles = await self._ledger.backlog(), await self._ledger.profiles()
        for spec in self._chargers:
            self._open(spec)
        if self._backlog:
            # Of chargers that no site file names: they get their relay when they connect.
            logger.warning("upstream messages wait for their charger", extra={"chargers": sorted(self._backlog)[:20]})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def of(self, charger: ChargerId) -> Relay | None:
        """The relay of a charger; None where it never connected and was not known."""
        return self._relays.get(charger)

    def snapshot(self) -> UpstreamSnapshot:
        """How every charger stands with the upstream now: links, what waits, what was dropped, conflicts."""
        chargers = {charger: relay.status() for charger, relay in self._relays.items()}
        return UpstreamSnapshot(shown_url(self._settings.url), chargers, dict(self._backlog))

    # The doors for the central system.

    def routes(self, routes: Mapping[str, Route]) -> dict[str, Route]:
        """A routing table that tells the upstream of what passes."""
        return with_upstream(routes, self)

    def attach(self, session: object, charger: Charger, call: CallCharger) -> None:
        """A charger connected.

        Args:
            session: its link, so that the end of an older one changes nothing.
            charger: what is known of it.
            call: asks it something.
        """
        relay = self._relays.get(charger.spec.id)
        if relay is None:
            relay = self._open(charger.spec)
        self._attached[charger.spec.id] = session
        relay.attach(charger, call)

    def detach(self, session: object, charger: ChargerId) -> None:
        """A link of a charger ended."""
        if self._attached.get(charger) is session:
            del self._attached[charger]
            self._relays[charger].detach()

    async def tell_written(self, charger: ChargerId) -> None:
        """The books of a charger may hold transactions that it did not state itself.

        Raises:
            StorageError: they could not be read, or not kept for the upstream.
        """
        relay = self._relays.get(charger)
        if relay is not None:
            await relay.tell_written()

    def granted(self, grant: Grant) -> None:
        """The depot gives a connector a limit."""
        relay = self._relays.get(grant.connector_id.charger)
        if relay is not None:
            relay.limits.granted(grant)

    def _open(self, spec: ChargerSpec) -> Relay:
        relay = Relay(
            spec,
            self._settings,
            clock=self._clock,
            sink=self._sink,
            ledger=self._ledger,
            backlog=self._backlog.pop(spec.id, 0),
            rng=self._rng,
        )
        self._relays[spec.id] = relay
        if (kept := self._profiles.pop(spec.id, None)) is not None:
            relay.limits.restore(json.loads(kept))
        task = asyncio.create_task(relay.run(), name=f"upstream {spec.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return relay
