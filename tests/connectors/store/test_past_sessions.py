"""Past sessions are read back with the departures their drivers had announced."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors.store.database import Store
from connectors.store.past_sessions import past_sessions
from tests.fakes import EPOCH, instant
from twin_core.forecasting.foresight import PastSession
from twin_core.models.events import RequestAnnounced, TransactionStopped
from twin_core.models.ids import ChargerId, ConnectorId, IdTag
from twin_core.models.quantities import Instant
from twin_core.models.session import ChargingRequest
from twin_core.ports import TransactionStart, TransactionStop

A1 = ConnectorId(ChargerId("A"), 1)
TAG = IdTag("TAG")
HOUR = timedelta(hours=1)


class SetClock:
    def now(self) -> Instant:
        return instant()


async def lived(
    path: Path, *requests: RequestAnnounced, reason: str = "EVDisconnected", stop: bool = True
) -> tuple[PastSession, ...]:
    """One session of two hours and 7 kWh, and what is known of it in a later run."""
    async with Store(path, clock=SetClock(), threaded=False) as store:
        for request in requests:
            store.record(request)
        transaction, _ = await store.start(TransactionStart(A1, TAG, 5.0, EPOCH), instant())
        if stop:
            left = EPOCH + 2 * HOUR
            await store.stop(TransactionStop(transaction, "A", 12.0, left, reason), instant(7200.0))
            store.record(
                TransactionStopped(
                    at=instant(7200.0),
                    connector_id=A1,
                    transaction_id=transaction,
                    meter_stop_kwh=12.0,
                    stopped_at=left,
                )
            )
    return await read(path, EPOCH + 3 * HOUR)


async def read(path: Path, now: datetime, days: float = 60.0) -> tuple[PastSession, ...]:
    async with Store(path, clock=SetClock(), threaded=False) as store:
        return await past_sessions(store, now, days)


def leaves(after_h: float, *, at_s: float = 0.0, firm: bool = False, **whom: object) -> RequestAnnounced:
    request = ChargingRequest(10.0, EPOCH + after_h * HOUR, firm=firm)
    return RequestAnnounced(at=instant(at_s), request=request, **(whom or {"id_tag": TAG}))  # type: ignore[arg-type]


async def test_a_session_is_kept_with_its_announcement(tmp_path: Path) -> None:
    assert await lived(tmp_path / "db", leaves(8.0)) == (
        PastSession(TAG, EPOCH, EPOCH + 2 * HOUR, 7.0, EPOCH + 8 * HOUR, firm=False),
    )


async def test_a_session_nobody_announced_is_kept_without(tmp_path: Path) -> None:
    (session,) = await lived(tmp_path / "db")
    assert session.announced is None


async def test_the_newest_announcement_counts_whoever_it_named(tmp_path: Path) -> None:
    (session,) = await lived(tmp_path / "db", leaves(8.0), leaves(3.0, at_s=60.0, connector_id=A1))
    assert session.announced == EPOCH + 3 * HOUR


async def test_a_timetable_stays_one(tmp_path: Path) -> None:
    (session,) = await lived(tmp_path / "db", leaves(8.0, firm=True))
    assert session.firm


@pytest.mark.parametrize("reason", ["PowerLoss", "Reboot", "DeAuthorized"])
async def test_a_transaction_that_ended_by_itself_is_no_departure(tmp_path: Path, reason: str) -> None:
    assert await lived(tmp_path / "db", reason=reason) == ()


async def test_a_session_in_progress_is_not_past(tmp_path: Path) -> None:
    assert await lived(tmp_path / "db", stop=False) == ()


async def test_what_is_too_long_ago_is_not_asked(tmp_path: Path) -> None:
    await lived(tmp_path / "db", leaves(8.0))
    assert await read(tmp_path / "db", EPOCH + timedelta(days=61)) == ()


async def test_a_request_for_the_next_visit_is_not_mixed_up_with_this_one(tmp_path: Path) -> None:
    await lived(tmp_path / "db", leaves(8.0))
    async with Store(tmp_path / "db", clock=SetClock(), threaded=False) as store:
        start = TransactionStart(A1, TAG, 20.0, EPOCH + 4 * HOUR)
        transaction, _ = await store.start(start, instant(4 * 3600.0))
        stop = TransactionStop(transaction, "A", 25.0, EPOCH + 5 * HOUR, "Local")
        await store.stop(stop, instant(5 * 3600.0))
    first, second = await read(tmp_path / "db", EPOCH + 6 * HOUR)
    assert first.announced is not None
    assert second == replace(second, announced=None, energy_kwh=5.0)
