"""Grants waiting for a charger's one line: the newest per connector, never a queue."""

from __future__ import annotations

from connectors.ocpp.flag import Flag
from twin_core.models.grant import Grant


class Mailbox:
    """Holds at most one grant per connector; the connector that has waited longest goes first."""

    def __init__(self) -> None:
        self._waiting: dict[int, Grant] = {}
        self._filled = Flag()

    def put(self, grant: Grant) -> Grant | None:
        """Leave a grant; returns the one it takes the place of, which then never reaches the wire."""
        replaced = self._waiting.get(grant.connector_id.number)
        self._waiting[grant.connector_id.number] = grant
        self._filled.set()
        return replaced

    def take(self) -> Grant | None:
        """The grant of the connector that has waited longest; None when nothing waits."""
        if not self._waiting:
            return None
        grant = self._waiting.pop(next(iter(self._waiting)))
        if not self._waiting:
            self._filled.clear()
        return grant

    async def wait(self) -> None:
        """Return once something waits."""
        await self._filled.wait()

    def empty(self) -> list[Grant]:
        """Take everything out, for a link that has ended."""
        grants = list(self._waiting.values())
        self._waiting.clear()
        self._filled.clear()
        return grants
