"""Which limits hold at the nodes of a site during a scenario, changes by the grid operator included. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from simulators.scenario import LimitChange
from twin_core.models.ids import NodeId
from twin_core.models.site import SiteTree

Limit = tuple[float | None, float | None]
"""Current per phase in A and power in kW; None where there is none."""


class Limits:
    """Limits by node and time."""

    def __init__(self, site: SiteTree, limit_changes: Sequence[LimitChange]) -> None:
        self._installed: dict[NodeId, Limit] = {node.id: (node.limit_a, node.limit_kw) for node in site.nodes}
        self._changes: dict[NodeId, list[LimitChange]] = {}
        for change in sorted(limit_changes, key=lambda change: change.at_min):
            self._changes.setdefault(NodeId(change.node), []).append(change)

    def at(self, node: NodeId, elapsed_s: float) -> Limit:
        """Limit of a node so many seconds into the run: the installed one, or the last change that holds."""
        limit_a, limit_kw = self._installed[node]
        for change in self._changes.get(node, ()):
            if _holds(change, elapsed_s):
                limit_a, limit_kw = _narrower(self._installed[node], change)
        return limit_a, limit_kw

    def tolerated(self, node: NodeId, elapsed_s: float, grace_s: float) -> Limit:
        """As `at`, but a decrease counts only `grace_s` after it was made."""
        limit_a, limit_kw = self.at(node, elapsed_s)
        if not self._changes.get(node):
            return limit_a, limit_kw
        before_a, before_kw = self.at(node, max(0.0, elapsed_s - grace_s))
        return _looser(limit_a, before_a), _looser(limit_kw, before_kw)


def _holds(change: LimitChange, elapsed_s: float) -> bool:
    ended = change.until_min is not None and elapsed_s >= change.until_min * 60
    return elapsed_s >= change.at_min * 60 and not ended


def _narrower(installed: Limit, change: LimitChange) -> Limit:
    """A change replaces what it names; what it does not name stays as installed."""
    return (
        installed[0] if change.limit_a is None else change.limit_a,
        installed[1] if change.limit_kw is None else change.limit_kw,
    )


def _looser(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else max(one, other)
