"""Chargers that go on drawing more than they may lose the credit of ever having kept a limit."""

from __future__ import annotations

from collections.abc import Callable

from twin_core.cycle import CycleReport
from twin_core.models.ids import ChargerId, ConnectorId

BELIEVED_S = 90.0
"""A connector distrusted for so long is no victim of a bad line: one that behaves is trusted again before."""


class Caught:
    """A CycleObserver that names each charger that stays distrusted, again and again while it does."""

    def __init__(self, doubt: Callable[[ChargerId], None]) -> None:
        self._doubt = doubt
        self._since_s: dict[ConnectorId, float] = {}

    def on_cycle(self, report: CycleReport) -> None:
        """See `CycleObserver.on_cycle`."""
        now_s = report.snapshot.now.monotonic_s
        self._since_s = {connector_id: self._since_s.get(connector_id, now_s) for connector_id in report.distrusted}
        for connector_id, since_s in self._since_s.items():
            if now_s >= since_s + BELIEVED_S:
                self._doubt(connector_id.charger)
