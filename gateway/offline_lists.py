"""Keeps the lists of tags in chargers up to date with the central one, where the site asks for it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from connectors.ocpp.local_lists import LocalLists
from connectors.ocpp.operations import Operations, Outcome, settings_in
from gateway.one_by_one import OneByOne
from twin_core.errors import ProtocolError, StorageError
from twin_core.models.authorisation import ListedTag
from twin_core.models.ids import ChargerId

logger = logging.getLogger(__name__)

ENABLED = "LocalAuthListEnabled"


class OfflineLists:
    """After each boot of a charger: switches its list on where it is off, and brings it up to date.

    Attributes:
        due: chargers to look after.
    """

    def __init__(self, operations: Operations, lists: LocalLists, entries: Callable[[], tuple[ListedTag, ...]]) -> None:
        self._operations = operations
        self._lists = lists
        self._entries = entries
        self.due = OneByOne(self._look_after)

    async def _look_after(self, charger: ChargerId) -> None:
        try:
            read = settings_in(await self._operations.read_configuration(charger, [ENABLED]))
            if read.get(ENABLED.lower(), "").lower() == "false":
                await self._operations.write_configuration(charger, ENABLED, "true")
            answer = await self._lists.write(charger, self._entries())
        except (StorageError, ProtocolError) as error:
            logger.warning("local list not written", extra={"charger": charger, "detail": str(error)})
            return
        level = logging.INFO if answer.outcome is Outcome.DONE else logging.WARNING
        logger.log(level, "local list", extra={"charger": charger, "outcome": answer.outcome, "said": answer.said})
