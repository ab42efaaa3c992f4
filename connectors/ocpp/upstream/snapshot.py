"""How chargers stand with the upstream, frozen for whoever shows it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from connectors.ocpp.upstream.conflicts import Conflict
from connectors.ocpp.upstream.limits import Allowance
from twin_core.models.ids import ChargerId


class LinkState(StrEnum):
    """Where one charger's link to the upstream stands."""

    IDLE = "idle"
    """None is wanted: the charger is away and nothing waits for the upstream."""
    AWAY = "away"
    """One is wanted, and the upstream is not reached."""
    OPENING = "opening"
    """Open, and the upstream has not accepted the charger's boot yet."""
    UP = "up"
    """Open, and what the charger says is passed on."""
    LATE = "late"
    """Open, but the upstream missed a deadline and has answered nothing since."""


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """How one charger stands with the upstream.

    Attributes:
        state: of its link.
        since: when the present link opened or the last one ended; None before the first.
        trouble: why the last attempt failed or link ended, in words; empty once the upstream has accepted the charger.
        links: links that were opened.
        waiting: messages on disk that the upstream has not answered yet.
        delivered: messages of transactions that it answered.
        dropped: what it never heard, by action and why.
        refused: what of its own was not believed or not allowed, by cause.
        conflicts: all so far by kind.
        latest: the newest conflicts, oldest first.
        allowances: what either allows each connector now, and who binds.
    """

    state: LinkState
    since: datetime | None
    trouble: str
    links: int
    waiting: int
    delivered: int
    dropped: Mapping[str, int]
    refused: Mapping[str, int]
    conflicts: Mapping[str, int]
    latest: tuple[Conflict, ...]
    allowances: tuple[Allowance, ...]

    @property
    def linked(self) -> bool:
        """Whether there is a link."""
        return self.state in (LinkState.OPENING, LinkState.UP, LinkState.LATE)

    @property
    def accepted(self) -> bool:
        """Whether the upstream has accepted the charger over the present link."""
        return self.state in (LinkState.UP, LinkState.LATE)


@dataclass(frozen=True, slots=True)
class UpstreamSnapshot:
    """How all chargers stand with the upstream.

    Attributes:
        url: of the upstream, without secrets.
        chargers: each that the site names or that connected.
        unclaimed: messages on disk of chargers that have not connected, by identity.
    """

    url: str
    chargers: Mapping[ChargerId, RelayStatus]
    unclaimed: Mapping[ChargerId, int]

    @property
    def states(self) -> Counter[LinkState]:
        """How many chargers' links stand where."""
        return Counter(one.state for one in self.chargers.values())

    @property
    def waiting(self) -> int:
        """Messages on disk that the upstream has not answered yet."""
        return sum(one.waiting for one in self.chargers.values()) + sum(self.unclaimed.values())

    @property
    def dropped(self) -> int:
        """Messages that it never heard."""
        return sum(sum(one.dropped.values()) for one in self.chargers.values())

    @property
    def conflicts(self) -> int:
        """Disagreements so far."""
        return sum(sum(one.conflicts.values()) for one in self.chargers.values())
