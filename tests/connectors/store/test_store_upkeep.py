"""What chargers were told is known after a restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from connectors.store.database import Store
from tests.fakes import EPOCH, LoopClock, instant
from twin_core.models.authorisation import ListedTag, ReservationState, TagStanding, TagStatus
from twin_core.models.events import CertificateRequested, LocalListWritten, ReservationChanged
from twin_core.models.ids import ChargerId, ConnectorId, IdTag

CP1, CP2 = ChargerId("CP_1"), ChargerId("CPX1")
LIST = LocalListWritten(
    at=instant(),
    charger_id=CP1,
    version=4,
    entries=(ListedTag(IdTag("A"), TagStanding(TagStatus.BLOCKED, EPOCH, IdTag("G"))),),
)
KEPT = ReservationChanged(
    at=instant(),
    connector_id=ConnectorId(CP1, 1),
    reservation_id=9,
    id_tag=IdTag("A"),
    expires=EPOCH + timedelta(hours=1),
    state=ReservationState.ACCEPTED,
)
CSR = CertificateRequested(at=instant(), charger_id=CP1, csr="-----BEGIN")


def store(path: Path) -> Store:
    return Store(path / "journal.db", clock=LoopClock(), threaded=False)


async def test_lists_reservations_and_certificate_requests_survive_a_restart(tmp_path: Path) -> None:
    async with store(tmp_path) as first:
        for fact in (LIST, KEPT, CSR):
            await first.keep(fact)
    async with store(tmp_path) as second:
        assert await second.local_list(CP1) == LIST
        assert await second.reservations(CP1) == (KEPT,)
        assert await second.certificate_request(CP1) == CSR
        assert await second.local_list(CP2) is None
        assert await second.reservations(CP2) == ()
        assert await second.certificate_request(CP2) is None


async def test_a_newer_list_takes_the_place_of_the_older_and_a_reservation_that_is_over_leaves_nothing(
    tmp_path: Path,
) -> None:
    async with store(tmp_path) as kept:
        await kept.keep(LIST)
        await kept.keep(replace(LIST, version=5, entries=()))
        found = await kept.local_list(CP1)
        assert found is not None
        assert (found.version, found.entries) == (5, ())
        await kept.keep(KEPT)
        await kept.keep(replace(KEPT, connector_id=ConnectorId(CP2, 1), reservation_id=9))
        await kept.keep(replace(KEPT, state=ReservationState.USED))
        assert await kept.reservations(CP1) == ()
        assert len(await kept.reservations(CP2)) == 1
