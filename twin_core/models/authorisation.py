"""Who may charge: what is said of a tag, what a charger's own list holds, and connectors kept free for somebody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from twin_core.models.ids import IdTag


class TagStatus(StrEnum):
    """What may be said of a tag; the values are OCPP's."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT_TX = "ConcurrentTx"


@dataclass(frozen=True, slots=True)
class TagStanding:
    """What is known of a tag.

    Attributes:
        expires: until when a charger may rely on it; None without end.
        parent: the group it belongs to: whoever is of the same group may stop what one of it started.
    """

    status: TagStatus
    expires: datetime | None = None
    parent: IdTag | None = None


@dataclass(frozen=True, slots=True)
class ConcurrencyLimit:
    """Of these tags, `most` may be in a transaction at the same time."""

    tags: frozenset[IdTag]
    most: int


@dataclass(frozen=True, slots=True)
class ListedTag:
    """An entry of the list that a charger keeps itself, for when it is offline."""

    id_tag: IdTag
    standing: TagStanding


class ReservationState(StrEnum):
    """How far a reservation came."""

    ASKED = "asked"
    """Written down, sent or about to be; where no answer came, the charger may hold it."""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    USED = "used"
    EXPIRED = "expired"
