"""What a vehicle is offered after it was seen to take less than its limit.

One that draws is offered little more than it takes, so that others get the rest and more is noticed. One that takes
nothing tells nothing of what it would take: it may be full, asleep, or start at 8 or 10 A only, as some models do. It
is offered the least, and every `RETRY_S` for a while the next of `RUNGS_A`; if it draws then, it is not offered less
for the rest of its session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from twin_core.models.ids import ConnectorId
from twin_core.models.quantities import MINIMUM_CURRENT_A, Instant

CAR_ROOM_A = 2.0
"""Offered above what a car was seen to take, so that one that takes more is noticed."""

DRAWING_A = 1.0

RUNGS_A = (8.0, 10.0, 13.0, 16.0)

RETRY_S = 300.0

RETRY_FOR_S = 120.0
"""Long enough for a vehicle to begin, and for a sample that shows it."""


class Offer(NamedTuple):
    """Current per phase that is worth offering: either nothing, or from `least_a` to `most_a`."""

    least_a: float
    most_a: float


@dataclass(slots=True)
class _Seen:
    """What was seen of one vehicle.

    Attributes:
        content_a: drawn below the limit; None once it drew all it was given.
        least_a: it took nothing below this.
        idle_since_s: it has taken nothing since then.
    """

    content_a: float | None = None
    least_a: float = MINIMUM_CURRENT_A
    idle_since_s: float | None = None

    def offer(self, now_s: float) -> Offer | None:
        if self.idle_since_s is not None:
            rounds, into_s = divmod(now_s - self.idle_since_s, RETRY_S)
            if rounds and into_s < RETRY_FOR_S:
                tried_a = max(self.least_a, RUNGS_A[(int(rounds) - 1) % len(RUNGS_A)])
                return Offer(tried_a, tried_a)
            return Offer(self.least_a, self.least_a)
        if self.content_a is not None:
            return Offer(self.least_a, max(self.content_a + CAR_ROOM_A, self.least_a))
        return Offer(self.least_a, float("inf")) if self.least_a > MINIMUM_CURRENT_A else None

    def began(self, now_s: float) -> None:
        """It draws; where it did not before, it was what it was offered last that made it begin."""
        offer = self.offer(now_s)
        if self.idle_since_s is not None and offer is not None:
            self.least_a = offer.least_a
        self.idle_since_s = None


class CarLimits:
    """The vehicles at all connectors, as their draws show them."""

    def __init__(self) -> None:
        self._seen: dict[ConnectorId, _Seen] = {}

    def took_less(self, connector_id: ConnectorId, measured_a: float, now: Instant) -> None:
        """A vehicle took less than its limit."""
        seen = self._seen.setdefault(connector_id, _Seen())
        if measured_a >= DRAWING_A:
            seen.began(now.monotonic_s)
        elif seen.idle_since_s is None:
            seen.idle_since_s = now.monotonic_s
        seen.content_a = measured_a

    def took_all(self, connector_id: ConnectorId, now: Instant) -> None:
        """A vehicle drew what it was given."""
        seen = self._seen.get(connector_id)
        if seen is not None:
            seen.began(now.monotonic_s)
            seen.content_a = None

    def left(self, connector_id: ConnectorId) -> None:
        """Another vehicle, or none."""
        self._seen.pop(connector_id, None)

    def offers(self, now: Instant) -> dict[ConnectorId, Offer]:
        """What to offer those of whom something is known."""
        offers = ((connector_id, seen.offer(now.monotonic_s)) for connector_id, seen in self._seen.items())
        return {connector_id: offer for connector_id, offer in offers if offer is not None}
