"""What the panel shows, made of the twin's cycles."""

from __future__ import annotations

from collections.abc import Callable

from panel.shapes import PanelView
from panel.view import view
from twin_core.cycle import CycleReport


class Views:
    """A CycleObserver that makes a view about once a second of the wall, for whoever looks on.

    Attributes:
        viewers: get every view; each must return at once.
    """

    def __init__(self, every_s: float) -> None:
        self.viewers: list[Callable[[PanelView], None]] = []
        self._every_s = every_s
        self._due_s = float("-inf")

    def on_cycle(self, report: CycleReport) -> None:
        """See `CycleObserver.on_cycle`."""
        now_s = report.snapshot.now.monotonic_s
        if self.viewers and now_s >= self._due_s:
            self._due_s = now_s + self._every_s
            shown = view(report)
            for viewer in self.viewers:
                viewer(shown)
