"""Connectors kept free for somebody: written down before they are asked for, so that none is ever forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from connectors.ocpp import requests
from connectors.ocpp.operations import Answer, Asks, Operations, Outcome
from connectors.ocpp.schemas import check_call
from twin_core.models.authorisation import ReservationState
from twin_core.models.events import ReservationChanged
from twin_core.models.ids import ChargerId, ConnectorId, IdTag
from twin_core.ports import ChargerUpkeep, Clock, EventSink


class Reservations:
    """Reservations at chargers.

    One that got no answer stays `asked`: the charger may hold it, and it can be cancelled. A transaction that names a
    reservation uses it up (see `incoming.transactions`).
    """

    def __init__(
        self,
        central: Asks,
        operations: Operations,
        upkeep: ChargerUpkeep,
        sink: EventSink,
        clock: Clock,
        draw: Callable[[], int],
    ) -> None:
        self._central = central
        self._operations = operations
        self._upkeep = upkeep
        self._sink = sink
        self._clock = clock
        self._draw = draw

    async def reserve(
        self, charger: ChargerId, connector: int, id_tag: str, expires: datetime, group: str | None = None
    ) -> Answer:
        """Keep a connector, or with 0 any, free for a tag or its group; the answer's `number` is the reservation's.

        Raises:
            StorageError: it could not be written down; nothing was sent.
            ProtocolError: the tag is longer than the standard's 20 characters; nothing was sent.
        """
        number = self._draw()
        request = requests.reserve_now(number, connector, id_tag, expires, group)
        if charger not in self._central.connected:
            return Answer(request.action, Outcome.OFFLINE)
        asked = ReservationChanged(
            at=self._clock.now(),
            connector_id=ConnectorId(charger, connector),
            reservation_id=number,
            id_tag=IdTag(id_tag),
            expires=expires,
            state=ReservationState.ASKED,
        )
        check_call(request.action, request.payload)
        await self._change(asked)
        answer = await self._operations.ask(charger, request, number)
        match answer.outcome:
            case Outcome.DONE:
                await self._change(replace(asked, at=self._clock.now(), state=ReservationState.ACCEPTED))
            case Outcome.REFUSED:
                await self._change(replace(asked, at=self._clock.now(), state=ReservationState.REFUSED))
            case Outcome.ERROR | Outcome.SILENT | Outcome.OFFLINE:
                pass  # it may be held all the same
            case _:
                assert_never(answer.outcome)
        return answer

    async def cancel(self, charger: ChargerId, number: int) -> Answer:
        """Give a reserved connector free; a charger that refuses knows of no such reservation, so it is gone as well.

        Raises:
            StorageError: the end of it could not be written down.
        """
        answer = await self._operations.ask(charger, requests.cancel_reservation(number), number)
        if answer.outcome in (Outcome.DONE, Outcome.REFUSED):
            for kept in await self._upkeep.reservations(charger):
                if kept.reservation_id == number:
                    await self._change(replace(kept, at=self._clock.now(), state=ReservationState.CANCELLED))
        return answer

    async def open(self, charger: ChargerId) -> tuple[ReservationChanged, ...]:
        """Reservations the charger holds or may hold; those whose time is over are closed on the way.

        Raises:
            StorageError: the disk refused.
        """
        now = self._clock.now()
        found = []
        for kept in await self._upkeep.reservations(charger):
            if now.utc < kept.expires:
                found.append(kept)
            else:
                await self._change(replace(kept, at=now, state=ReservationState.EXPIRED))
        return tuple(found)

    async def _change(self, fact: ReservationChanged) -> None:
        await self._upkeep.keep(fact)
        self._sink.put(fact)
