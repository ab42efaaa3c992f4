"""How a charger's CALL may be answered: at once within the read loop, or when a fact is on disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from connectors.ocpp.charger import Charger
from connectors.ocpp.frames import Payload
from twin_core.models.quantities import Instant


@dataclass(frozen=True, slots=True)
class Inline:
    """Answered at once, within the read loop."""

    handle: Callable[[Charger, Payload, Instant], Payload]


@dataclass(frozen=True, slots=True)
class Written:
    """The answer to a fact that is on disk.

    Attributes:
        then: what follows once the answer is on its way, or cannot be sent. A charger first learns the id of its
            transaction; only then may a profile for that transaction follow.
    """

    answer: Payload
    then: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Durable:
    """Answered when the fact is on disk; beside the read loop, in the order of arrival."""

    handle: Callable[[Charger, Payload, Instant], Awaitable[Written]]
