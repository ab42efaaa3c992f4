"""What chargers were told that outlives their links, kept in memory only: for tests, and for uses without a store."""

from __future__ import annotations

from dataclasses import dataclass, field

from twin_core.models.authorisation import ReservationState
from twin_core.models.events import CertificateRequested, LocalListWritten, ReservationChanged
from twin_core.models.ids import ChargerId

OPEN_RESERVATIONS = (ReservationState.ASKED, ReservationState.ACCEPTED)
"""States in which a charger holds a reservation, or may."""


@dataclass(slots=True)
class MemoryUpkeep:
    """A ChargerUpkeep that forgets with the process."""

    lists: dict[ChargerId, LocalListWritten] = field(default_factory=dict)
    open: dict[tuple[ChargerId, int], ReservationChanged] = field(default_factory=dict)
    requests: dict[ChargerId, CertificateRequested] = field(default_factory=dict)

    async def keep(self, fact: LocalListWritten | ReservationChanged | CertificateRequested) -> None:
        """See `ChargerUpkeep.keep`."""
        match fact:
            case LocalListWritten():
                self.lists[fact.charger_id] = fact
            case CertificateRequested():
                self.requests[fact.charger_id] = fact
            case ReservationChanged():
                key = (fact.connector_id.charger, fact.reservation_id)
                if fact.state in OPEN_RESERVATIONS:
                    self.open[key] = fact
                else:
                    self.open.pop(key, None)

    async def local_list(self, charger: ChargerId) -> LocalListWritten | None:
        """See `ChargerUpkeep.local_list`."""
        return self.lists.get(charger)

    async def reservations(self, charger: ChargerId) -> tuple[ReservationChanged, ...]:
        """See `ChargerUpkeep.reservations`."""
        return tuple(fact for (owner, _), fact in self.open.items() if owner == charger)

    async def certificate_request(self, charger: ChargerId) -> CertificateRequested | None:
        """See `ChargerUpkeep.certificate_request`."""
        found = self.requests.get(charger)
        return found if found is not None and found.csr else None
