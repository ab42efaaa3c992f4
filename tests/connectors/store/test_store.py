"""The store: what is answered is on the disk, and what the disk refuses is said."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from itertools import chain, count, repeat
from pathlib import Path

import pytest

from connectors.store.commit import Work
from connectors.store.database import Store
from connectors.store.journal_reader import read_events
from connectors.store.schema import JOURNAL_ID, JOURNAL_MIGRATIONS, connect
from connectors.store.writer import ThreadedWriter
from tests.fakes import EPOCH, LoopClock, instant
from twin_core.errors import StorageError
from twin_core.models.charger import ConnectorReading, ConnectorStatus
from twin_core.models.events import ConnectorMetered, ConnectorStatusReported, Event, InputRefused, Ticked
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, TransactionId
from twin_core.models.quantities import Instant
from twin_core.ports import Journal, TransactionLedger, TransactionStart, TransactionStop

A1 = ConnectorId(ChargerId("A"), 1)
B1 = ConnectorId(ChargerId("B"), 1)


def start_at(connector: ConnectorId, meter_start_kwh: float = 10.0) -> TransactionStart:
    return TransactionStart(connector, IdTag("TAG"), meter_start_kwh, EPOCH)


def stop_of(transaction: TransactionId, charger: str, meter_stop_kwh: float = 20.0) -> TransactionStop:
    return TransactionStop(transaction, charger, meter_stop_kwh, EPOCH, "Local")


def metered(connector: ConnectorId = A1) -> ConnectorMetered:
    return ConnectorMetered(at=instant(), connector_id=connector, reading=ConnectorReading(energy_kwh=11.0))


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(params=[True, False], ids=["threaded", "direct"])
def threaded(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


async def no_room(store: Store) -> None:
    """From here on the disk is full."""
    pages = await store.transact(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await store.transact(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchall())


async def room_again(store: Store) -> None:
    await store.transact(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchall())


async def fill(store: Store) -> None:
    """Use up what room is left in the pages there are."""
    fillers = (start_at(ConnectorId(ChargerId(f"filler-{number}"), 1)) for number in count())
    with pytest.raises(StorageError):
        await asyncio.gather(*(store.start(next(fillers), instant()) for _ in range(2000)))


def test_the_store_is_the_ledger_and_the_journal_the_core_asks_for(path: Path) -> None:
    store = Store(path, clock=LoopClock())
    ledger: TransactionLedger = store
    journal: Journal = store
    assert ledger is journal


async def test_the_file_is_written_ahead_and_flushed_fully(path: Path, threaded: bool) -> None:
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        pragmas = ("journal_mode", "synchronous", "foreign_keys")
        read = [await store.transact(lambda c, p=p: c.execute(f"PRAGMA {p}").fetchone()[0]) for p in pragmas]
    assert read == ["wal", 2, 1]


async def test_a_start_said_twice_is_one_transaction(path: Path, threaded: bool) -> None:
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        first, is_new = await store.start(start_at(A1), instant())
        assert is_new
        assert await store.start(start_at(A1), instant(60)) == (first, False)
        together = await asyncio.gather(*(store.start(start_at(B1), instant()) for _ in range(20)))
        assert len({transaction for transaction, _ in together}) == 1
        assert sum(new for _, new in together) == 1
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        assert await store.start(start_at(A1), instant()) == (first, False)
    assert rows(path, "SELECT count(*) FROM transactions") == [(2,)]


async def test_ids_are_31_bit_and_drawn_again_when_taken(path: Path, threaded: bool) -> None:
    draws = chain([1, 1, 1, 2**31 - 1], repeat(1))
    async with Store(path, clock=LoopClock(), threaded=threaded, draw_id=lambda: next(draws)) as store:
        assert (await store.start(start_at(A1), instant()))[0] == 1
        assert (await store.start(start_at(B1), instant()))[0] == 2**31 - 1
        with pytest.raises(StorageError, match="no unused transaction id"):
            await store.start(start_at(A1, 99.0), instant())
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        ids = [(await store.start(start_at(A1, 100.0 + n), instant()))[0] for n in range(200)]
    assert len(set(ids)) == 200
    assert all(1 <= transaction < 2**31 for transaction in ids)
    assert len({transaction >> 24 for transaction in ids}) > 30, "ids must not be guessable by counting"


async def test_a_charger_cannot_stop_what_another_started(path: Path, threaded: bool) -> None:
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        transaction, _ = await store.start(start_at(A1), instant())
        assert await store.stop(stop_of(transaction, "B"), instant()) is None
        assert await store.stop(stop_of(TransactionId(transaction ^ 1), "A"), instant()) is None
        assert await store.open_transactions(ChargerId("A")) == {A1: transaction}
        assert await store.stop(stop_of(transaction, "A"), instant()) == A1
        assert await store.open_transactions(ChargerId("A")) == {}


async def test_a_stop_said_twice_is_answered_alike_and_the_first_one_stays(path: Path, threaded: bool) -> None:
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        transaction, _ = await store.start(start_at(A1), instant())
        assert await store.stop(stop_of(transaction, "A", 20.0), instant()) == A1
        assert await store.stop(stop_of(transaction, "A", 99.0), instant()) == A1
    assert rows(path, "SELECT meter_stop_kwh FROM transactions") == [(20.0,)]


async def test_a_charger_that_lost_a_transaction_comes_back_with_its_newest(path: Path, threaded: bool) -> None:
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        await store.start(start_at(A1, 1.0), instant())
        newest, _ = await store.start(start_at(A1, 2.0), instant())
        assert await store.open_transactions(ChargerId("A")) == {A1: newest}


async def test_what_is_answered_can_be_read_by_another_process_at_once(path: Path, threaded: bool) -> None:
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        transaction, _ = await store.start(start_at(A1), instant())
        assert rows(path, "SELECT id FROM transactions") == [(transaction,)]
        await store.reserve([Grant(A1, 1, 16.0, instant(), 60.0)])
        assert rows(path, "SELECT charger, connector, seq, limit_a FROM grants") == [("A", 1, 1, 16.0)]


async def test_many_who_wait_share_one_flush(path: Path) -> None:
    async with Store(path, clock=LoopClock()) as store:
        before = store.counters.commits
        starts = [start_at(ConnectorId(ChargerId(f"CP-{n}"), 1)) for n in range(500)]
        await asyncio.gather(*(store.start(start, instant()) for start in starts))
        assert store.counters.commits - before <= 25
    assert rows(path, "SELECT count(*) FROM transactions") == [(500,)]


async def test_the_event_loop_runs_on_while_the_disk_is_slow(path: Path) -> None:
    async with Store(path, clock=LoopClock()) as store:
        slow: Work[object] = lambda c: c.execute(  # noqa: E731
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) SELECT count(*) FROM n"
        ).fetchone()
        waiting = asyncio.ensure_future(store.transact(slow))
        turns = 0
        while not waiting.done():
            store.record(Ticked(at=instant()))
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 20


async def test_events_are_written_in_order_and_without_being_waited_for(path: Path, threaded: bool) -> None:
    events: list[Event] = [Ticked(at=instant(n)) if n % 2 else metered() for n in range(1000)]
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        for event in events:
            store.record(event)
    assert list(read_events(path)) == events
    assert store.counters.facts == 1000


async def test_a_lone_event_reaches_the_disk_though_nobody_waits(path: Path) -> None:
    async with Store(path, clock=LoopClock()) as store:
        store.record(metered())
        async with asyncio.timeout(5):
            while not store.counters.facts:  # noqa: ASYNC110 - the thread sets no event of ours
                await asyncio.sleep(0.02)
        assert list(read_events(path)) == [metered()]


async def test_readings_are_dropped_before_anything_that_matters(path: Path) -> None:
    status = ConnectorStatusReported(at=instant(), connector_id=A1, status=ConnectorStatus.CHARGING)
    refusal = InputRefused(at=instant(), source="x", cause="y")
    async with Store(path, clock=LoopClock(), capacity=10) as store:
        blocker = asyncio.ensure_future(store.transact(lambda c: c.execute(_SLOW).fetchone()))
        await asyncio.sleep(0.05)  # the writer is busy; everything below queues up
        for _ in range(30):
            store.record(metered())
            store.record(refusal)
        for _ in range(10):
            store.record(status)
        transaction, _ = await store.start(start_at(A1), instant())
        await blocker
    assert store.counters.dropped == 50
    assert store.counters.dropped_vital == 0
    assert [event for event in read_events(path) if event == status] == [status] * 10
    assert rows(path, "SELECT id FROM transactions") == [(transaction,)]


_SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n"


async def test_an_event_that_cannot_be_written_costs_no_other(
    path: Path, threaded: bool, caplog: pytest.LogCaptureFixture
) -> None:
    no_zone = Ticked(at=Instant(0.0, datetime(2026, 1, 1)))  # noqa: DTZ001
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        for event in (metered(), no_zone, metered()):
            store.record(event)
    assert list(read_events(path)) == [metered(), metered()]
    assert "event_not_written" in [record.message for record in caplog.records]


async def test_a_start_without_a_time_zone_is_refused_and_nothing_else(path: Path, threaded: bool) -> None:
    no_zone = TransactionStart(A1, IdTag("TAG"), 1.0, datetime(2026, 1, 1))  # noqa: DTZ001
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        with pytest.raises(StorageError, match="no zone"):
            await store.start(no_zone, instant())
        assert (await store.start(start_at(A1), instant()))[1]


async def test_a_full_disk_refuses_starts_and_grants_and_says_so(path: Path, threaded: bool) -> None:
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        kept, _ = await store.start(start_at(A1), instant())
        await no_room(store)
        await fill(store)
        many = [Grant(ConnectorId(ChargerId("A"), n), 1, 16.0, instant(), 60.0) for n in range(200)]
        with pytest.raises(StorageError, match="full"):
            await store.reserve(many)
        with pytest.raises(StorageError, match="full"):
            await store.start(start_at(B1), instant())
        assert await store.open_transactions(ChargerId("A")) == {A1: kept}, "reading goes on"
        assert await store.stop(stop_of(kept, "A"), instant()) in (A1, None)
        await room_again(store)
        await store.reserve(many)
        transaction, is_new = await store.start(start_at(B1), instant())
        assert is_new
    assert store.counters.jobs_failed >= 3
    assert rows(path, f"SELECT charger FROM transactions WHERE id = {transaction}") == [("B",)]
    assert rows(path, "SELECT count(*) FROM grants") == [(200,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


async def test_what_matters_waits_for_the_disk_and_readings_do_not(
    path: Path, threaded: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    refusal = InputRefused(at=instant(), source="x", cause="y", detail="z" * 1500)
    status = ConnectorStatusReported(
        at=instant(), connector_id=A1, status=ConnectorStatus.FAULTED, error_code="e" * 1500
    )
    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        await no_room(store)
        await fill(store)
        for _ in range(20):
            store.record(refusal)
            store.record(status)
        await store.open_transactions(ChargerId("A"))
        assert store.counters.facts == 0
        await room_again(store)
        await store.open_transactions(ChargerId("A"))
    assert list(read_events(path)) == [status] * 20
    assert store.counters.dropped == 20
    assert store.counters.dropped_vital == 0
    messages = [record.message for record in caplog.records]
    assert messages.count("storage_failing") == 1
    assert messages.count("storage_working_again") == 1


async def test_a_statement_that_fails_spoils_nobody_elses(path: Path, threaded: bool) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO transactions (id) VALUES (0)")

    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        results = await asyncio.gather(
            store.start(start_at(A1), instant()),
            store.transact(broken),
            store.start(start_at(B1), instant()),
            return_exceptions=True,
        )
    assert isinstance(results[1], StorageError)
    assert rows(path, "SELECT charger FROM transactions ORDER BY charger") == [("A",), ("B",)]


async def test_whoever_stops_waiting_disturbs_nobody(path: Path) -> None:
    async with Store(path, clock=LoopClock()) as store:
        gone = asyncio.ensure_future(store.start(start_at(A1), instant()))
        await asyncio.sleep(0)
        gone.cancel()
        await store.start(start_at(B1), instant())
    assert rows(path, "SELECT charger FROM transactions ORDER BY charger") == [("A",), ("B",)]


async def test_a_bug_in_one_job_reaches_only_whoever_asked(path: Path, threaded: bool) -> None:
    def bug(connection: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    async with Store(path, clock=LoopClock(), threaded=threaded) as store:
        results = await asyncio.gather(
            store.transact(bug), store.start(start_at(A1), instant()), return_exceptions=True
        )
        assert isinstance(results[0], ZeroDivisionError)
        assert isinstance(results[1], tuple)


async def test_a_writer_that_dies_of_a_bug_tells_everybody(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def bug(connection: sqlite3.Connection, facts: Sequence[str]) -> None:
        raise ZeroDivisionError

    connection = connect(path, JOURNAL_MIGRATIONS, JOURNAL_ID, synchronous="FULL")
    writer: ThreadedWriter[str] = ThreadedWriter(connection, bug)
    writer.put("poison", vital=False)
    with pytest.raises(StorageError, match="writer died"):
        await writer.run(lambda _: None)
    with pytest.raises(StorageError, match="writer died"):
        await writer.run(lambda _: None)
    writer.put("one more", vital=True)
    await writer.close()
    assert writer.counters.dropped_vital == 1
    assert "storage_writer_died" in [record.message for record in caplog.records]


async def test_a_closed_store_says_so(path: Path) -> None:
    store = Store(path, clock=LoopClock())
    with pytest.raises(StorageError, match="not open"):
        await store.start(start_at(A1), instant())
    async with store:
        pass
    store.record(Ticked(at=instant()))
    assert store.counters.dropped_vital == 1
    with pytest.raises(StorageError, match="not open"):
        await store.reserve([Grant(A1, 1, 6.0, instant(), 60.0)])


async def test_a_second_gateway_on_the_same_journal_is_turned_away(path: Path) -> None:
    async with Store(path, clock=LoopClock()):
        with pytest.raises(StorageError, match="another gateway"):
            async with Store(path, clock=LoopClock()):
                pass
        assert list(read_events(path)) == [], "looking is allowed"
    async with Store(path, clock=LoopClock()):
        pass


async def test_a_file_that_is_refused_is_not_kept_locked(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    for _ in range(2):
        with pytest.raises(StorageError, match="another program"):
            async with Store(path, clock=LoopClock()):
                pass


def test_on_a_virtual_clock_nothing_waits_for_a_thread(path: Path) -> None:
    import async_solipsism

    async def day() -> None:
        loop = asyncio.get_running_loop()
        async with Store(path, clock=LoopClock(), threaded=False) as store:
            for hour in range(24):
                await store.start(start_at(A1, float(hour)), store_now := LoopClock().now())
                store.record(Ticked(at=store_now))
                await asyncio.sleep(3600)
        assert loop.time() == pytest.approx(24 * 3600)

    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        runner.run(day())
    assert rows(path, "SELECT count(*) FROM transactions") == [(24,)]
    assert len(list(read_events(path))) == 24


async def test_two_stores_give_the_same_bytes_for_the_same_story(tmp_path: Path) -> None:
    for name in ("one", "two"):
        draws = iter(range(7, 100))
        async with Store(tmp_path / name, clock=LoopClock(), threaded=False, draw_id=partial(next, draws)) as store:
            await store.start(start_at(A1), instant())
            store.record(metered())
    bodies = [rows(tmp_path / name, "SELECT seq, kind, body FROM events") for name in ("one", "two")]
    assert bodies[0] == bodies[1] != []
