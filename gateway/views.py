"""What the panel shows, made of the twin's cycles and of how the upstream stands."""

from __future__ import annotations

from collections.abc import Callable

from connectors.ocpp.upstream.controller import Upstream
from connectors.ocpp.upstream.snapshot import LinkState, UpstreamSnapshot
from panel.shapes import PanelView, UpstreamView
from panel.view import view
from twin_core.cycle import CycleReport

UPSTREAM_EVERY = 5
"""Views between two looks at the upstream, which asks the relay of every charger."""


class Views:
    """A CycleObserver that makes a view about once a second of the wall, for whoever looks on.

    Attributes:
        viewers: get every view; each must return at once.
        upstream: the second central system; None where the site has none.
    """

    def __init__(self, every_s: float) -> None:
        self.viewers: list[Callable[[PanelView], None]] = []
        self.upstream: Upstream | None = None
        self._every_s = every_s
        self._due_s = float("-inf")
        self._made = 0
        self._upstream_view: UpstreamView | None = None

    def on_cycle(self, report: CycleReport) -> None:
        """See `CycleObserver.on_cycle`."""
        now_s = report.snapshot.now.monotonic_s
        if self.viewers and now_s >= self._due_s:
            self._due_s = now_s + self._every_s
            if self.upstream is not None and self._made % UPSTREAM_EVERY == 0:
                self._upstream_view = upstream_view(self.upstream.snapshot())
            self._made += 1
            shown = view(report, upstream=self._upstream_view)
            for viewer in self.viewers:
                viewer(shown)


def upstream_view(snapshot: UpstreamSnapshot) -> UpstreamView:
    """All chargers' links to the upstream in a few numbers."""
    return UpstreamView(
        url=snapshot.url,
        up=snapshot.states[LinkState.UP],
        away=snapshot.states[LinkState.AWAY],
        waiting=snapshot.waiting,
        dropped=snapshot.dropped,
        conflicts=snapshot.conflicts,
    )
