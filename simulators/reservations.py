"""Reservations of a connector or of any connector, OCPP 1.6 §5.13 and §5.2: until used, cancelled or expired."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.authorisation import Authorisation
from simulators.machine import Machine
from simulators.profile_store import seconds_of
from simulators.station import Outlet
from simulators.wire import Payload
from twin_core.models.charger import ConnectorStatus


@dataclass(frozen=True, slots=True)
class Reservation:
    """One reservation.

    Attributes:
        connector: its number; 0 for any one of them.
        parent: of the tag: whoever has the same parent may use it.
    """

    id: int
    connector: int
    id_tag: str
    parent: str | None


class Reservations:
    """The reservations of one charge point."""

    __slots__ = ("_authorisation", "_held", "_machine")

    def __init__(self, machine: Machine, authorisation: Authorisation) -> None:
        self._machine = machine
        self._authorisation = authorisation
        self._held: dict[int, Reservation] = {}

    # Requests --------------------------------------------------------------------------------------------------------

    def reserve(self, payload: Payload) -> Payload:
        """Answer ReserveNow; one with an id that is held takes its place."""
        machine = self._machine
        machine.advance()
        reservation = Reservation(
            payload["reservationId"], payload["connectorId"], payload["idTag"], payload.get("parentIdTag")
        )
        expires_s = seconds_of(payload["expiryDate"])
        if reservation.connector != 0 and reservation.connector not in machine.station.outlets:
            return {"status": "Rejected"}
        if expires_s <= machine.station.own_s:
            return {"status": "Rejected"}
        before = self._held.pop(reservation.id, None)
        obstacle = self._obstacle(reservation.connector)
        if obstacle is not None:
            if before is not None:
                self._held[before.id] = before
            return {"status": obstacle}
        self._held[reservation.id] = reservation
        machine.at_own(f"reservation {reservation.id}", expires_s, lambda: self.end(reservation.id))
        self._mark()
        return {"status": "Accepted"}

    def cancel(self, payload: Payload) -> Payload:
        """Answer CancelReservation."""
        known = payload["reservationId"] in self._held
        self.end(payload["reservationId"])
        return {"status": "Accepted" if known else "Rejected"}

    # Use -------------------------------------------------------------------------------------------------------------

    def usable(self, number: int, id_tag: str) -> Reservation | None:
        """The reservation that a tag may use at a connector: the connector's own before one of any."""
        mine = [r for r in self._held.values() if r.connector in (0, number) and self._is_for(r, id_tag)]
        return max(mine, key=lambda reservation: reservation.connector, default=None)

    def blocks(self, number: int, id_tag: str) -> bool:
        """Whether a connector is kept for somebody else."""
        if self.usable(number, id_tag) is not None:
            return False
        others = sum(reservation.connector == 0 for reservation in self._held.values())
        return number in self._machine.reserved or (others > 0 and self._free_elsewhere(number) < others)

    def is_for_a_group(self, number: int) -> bool:
        """Whether whoever has the right parent may use what a connector is kept for."""
        return any(r.parent is not None for r in self._held.values() if r.connector in (0, number))

    def end(self, reservation_id: int) -> None:
        """It was used, cancelled or has expired."""
        self._held.pop(reservation_id, None)
        self._machine.agenda.cancel(f"reservation {reservation_id}")
        self._mark()

    def end_at(self, number: int) -> None:
        """A connector went out of service: what was reserved there is no longer."""
        for reservation in [r for r in self._held.values() if r.connector == number]:
            self.end(reservation.id)

    def _is_for(self, reservation: Reservation, id_tag: str) -> bool:
        if reservation.id_tag == id_tag:
            return True
        return reservation.parent is not None and reservation.parent == self._authorisation.parent(id_tag)

    def _obstacle(self, number: int) -> str | None:
        """Why a connector, or any for 0, cannot be reserved: a status of ReserveNow.conf."""
        outlets = list(self._machine.station.outlets.values())
        wanted = [o for o in outlets if number in (0, o.number)]
        taken = {r.connector for r in self._held.values()}
        if not self._machine.in_service or all(not outlet.available for outlet in wanted):
            return "Unavailable"
        if all(outlet.fault is not None for outlet in wanted):
            return "Faulted"
        free = [outlet for outlet in wanted if self._is_free(outlet) and outlet.number not in taken]
        any_connector = sum(reservation.connector == 0 for reservation in self._held.values())
        all_free = [outlet for outlet in outlets if self._is_free(outlet) and outlet.number not in taken]
        return None if free and len(all_free) > any_connector else "Occupied"

    def _free_elsewhere(self, number: int) -> int:
        outlets = self._machine.station.outlets.values()
        taken = {reservation.connector for reservation in self._held.values()} | {number}
        return sum(self._is_free(outlet) and outlet.number not in taken for outlet in outlets)

    @staticmethod
    def _is_free(outlet: Outlet) -> bool:
        return outlet.status is ConnectorStatus.AVAILABLE

    def _mark(self) -> None:
        self._machine.reserved = {r.connector for r in self._held.values() if r.connector}
        self._machine.wake.set()
