"""The list of tags that a charger keeps for when it is offline: brought up to date with as little as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.ocpp import requests, translate
from connectors.ocpp.operations import Answer, Operations, Outcome, settings_in
from twin_core.models.authorisation import ListedTag
from twin_core.models.events import LocalListWritten
from twin_core.models.ids import ChargerId, IdTag
from twin_core.ports import ChargerUpkeep, Clock, EventSink

DEFAULT_MAX_LENGTH: Final = 100
"""Entries sent at once where the charger does not say how many it takes (SendLocalListMaxLength)."""

MAX_VERSION: Final = 2**31 - 1
UP_TO_DATE: Final = "up to date"


class LocalLists:
    """Writes the lists that chargers keep.

    What a charger has is known by its version. Where it is the one that was written last, only what changed is sent;
    else, and where the charger wants no changes, the whole list. A list is remembered once the charger has all of it,
    and counts no more once the charger named another version: whoever changed it may come to the same version again.
    """

    def __init__(self, operations: Operations, upkeep: ChargerUpkeep, sink: EventSink, clock: Clock) -> None:
        self._operations = operations
        self._upkeep = upkeep
        self._sink = sink
        self._clock = clock
        self._changed: set[ChargerId] = set()

    async def version(self, charger: ChargerId) -> Answer:
        """Ask which version it has; `number` is that, 0 for an empty list."""
        answer = await self._operations.ask(charger, requests.get_local_list_version())
        if answer.outcome is not Outcome.DONE:
            return answer
        version = translate.integer(answer.payload.get("listVersion"))
        if version is None:
            return Answer(answer.action, Outcome.ERROR, "an answer without a version", answer.payload)
        if version < 0:
            return Answer(answer.action, Outcome.REFUSED, "no local list is supported", answer.payload, version)
        return Answer(answer.action, Outcome.DONE, str(version), answer.payload, version)

    async def write(self, charger: ChargerId, entries: Sequence[ListedTag]) -> Answer:
        """Bring a charger's list to these entries; returns its last answer, `number` being the version it has.

        Raises:
            StorageError: what the charger took could not be remembered; the next write sends the whole list.
        """
        found = await self.version(charger)
        if found.outcome is not Outcome.DONE or found.number is None:
            return found
        wanted = tuple(sorted({entry.id_tag: entry for entry in entries}.values(), key=lambda entry: entry.id_tag))
        known = await self._upkeep.local_list(charger)
        if known is not None and known.version != found.number:
            self._changed.add(charger)
        same = None if charger in self._changed else known
        if same is not None and same.entries == wanted:
            return Answer("SendLocalList", Outcome.DONE, UP_TO_DATE, number=same.version)
        length = await self._max_length(charger)
        version = max(found.number, known.version if known is not None else 0)
        answer = None
        if same is not None:
            changed = [entry for entry in wanted if entry not in set(same.entries)]
            kept = {entry.id_tag for entry in wanted}
            removed = [entry.id_tag for entry in same.entries if entry.id_tag not in kept]
            answer = await self._send_changes(charger, version, changed, removed, length)
        if answer is None or answer.outcome in (Outcome.REFUSED, Outcome.ERROR):
            answer = await self._send_all(charger, version, wanted, length)
        if answer.outcome is Outcome.DONE and answer.number is not None:
            fact = LocalListWritten(at=self._clock.now(), charger_id=charger, version=answer.number, entries=wanted)
            await self._upkeep.keep(fact)
            self._changed.discard(charger)
            self._sink.put(fact)
        return answer

    async def _max_length(self, charger: ChargerId) -> int:
        answer = await self._operations.read_configuration(charger, ["SendLocalListMaxLength"])
        stated = translate.integer(settings_in(answer).get("sendlocallistmaxlength"))
        return stated if stated is not None and stated > 0 else DEFAULT_MAX_LENGTH

    async def _send_all(self, charger: ChargerId, version: int, wanted: Sequence[ListedTag], length: int) -> Answer:
        """Send the whole list: its first part in place of what was there, the rest as changes."""
        version = _next(version)
        first = requests.send_local_list(version, wanted[:length])
        answer = await self._operations.ask(charger, first, version)
        if answer.outcome is not Outcome.DONE or len(wanted) <= length:
            return answer
        return await self._send_changes(charger, version, wanted[length:], (), length)

    async def _send_changes(
        self,
        charger: ChargerId,
        version: int,
        changed: Sequence[ListedTag],
        removed: Sequence[IdTag],
        length: int,
    ) -> Answer:
        """Send changes, `length` at a time; stops at the first that is not taken."""
        parts: list[tuple[Sequence[ListedTag], Sequence[IdTag]]] = []
        parts += [((), removed[at : at + length]) for at in range(0, len(removed), length)]
        parts += [(changed[at : at + length], ()) for at in range(0, len(changed), length)]
        answer = Answer("SendLocalList", Outcome.DONE, UP_TO_DATE, number=version)
        for entries, gone in parts:
            version = _next(version)
            request = requests.send_local_list(version, entries, gone, differential=True)
            answer = await self._operations.ask(charger, request, version)
            if answer.outcome is not Outcome.DONE:
                return answer
        return answer


def _next(version: int) -> int:
    return version + 1 if version < MAX_VERSION else 1
