"""Transactions are durable before they are answered, and belong to one charger each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.connectors.ocpp.peer import charger_spec, depot, grant, peer, until
from tests.fakes import MemoryLedger
from twin_core.errors import StorageError
from twin_core.models import events as e
from twin_core.models.authorisation import ConcurrencyLimit, TagStanding, TagStatus
from twin_core.models.charger import ConnectorStatus
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, TransactionId
from twin_core.models.quantities import Instant
from twin_core.ports import TransactionStart, TransactionStop

STOP_AT = "2026-06-01T13:00:00Z"


class SlowLedger(MemoryLedger):
    """A ledger whose disk can be held up, or be full."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.full = False

    async def start(self, start: TransactionStart, now: Instant) -> tuple[TransactionId, bool]:
        await self.write()
        return await super().start(start, now)

    async def stop(self, stop: TransactionStop, now: Instant) -> ConnectorId | None:
        await self.write()
        return await super().stop(stop, now)

    async def write(self) -> None:
        await self.go.wait()
        if self.full:
            raise StorageError("disk is full")


class LateLedger(SlowLedger):
    """A ledger that has written long before it says so."""

    async def start(self, start: TransactionStart, now: Instant) -> tuple[TransactionId, bool]:
        written = await MemoryLedger.start(self, start, now)
        await self.write()
        return written


def stop(transaction: Any, meter: Any = 5000) -> dict[str, Any]:
    return {"transactionId": transaction, "meterStop": meter, "timestamp": STOP_AT}


async def test_nothing_is_answered_and_nobody_told_before_it_is_on_disk() -> None:
    ledger = SlowLedger()
    async with depot(ledger=ledger) as d, peer(d.system.port) as cp:
        await cp.boot()
        starting = asyncio.create_task(cp.start())
        await asyncio.sleep(5)
        assert not starting.done()
        assert d.sink.of(e.TransactionStarted) == []
        # Meanwhile the link is as alive as ever, in both directions.
        assert (await cp.call("Heartbeat"))[0] == 3
        assert d.sink.of(e.ChargerCommissioned)
        ledger.go.set()
        assert await starting == d.sink.of(e.TransactionStarted)[0].transaction_id


@pytest.mark.parametrize("action", ["StartTransaction", "StopTransaction"])
async def test_a_full_disk_gives_no_result_so_that_the_charger_keeps_the_fact(action: str) -> None:
    ledger = SlowLedger()
    ledger.go.set()
    async with depot(ledger=ledger) as d, peer(d.system.port) as cp:
        transaction = await cp.start()
        ledger.full = True
        payload: dict[str, Any] = {"connectorId": 1, "idTag": "B", "meterStart": 1, "timestamp": STOP_AT}
        answer = await cp.call(action, payload if action == "StartTransaction" else stop(transaction))
        assert answer[0] == 4
        assert answer[2] == "InternalError"
        assert d.refused("CP1", "storage") == 1
        assert len(d.sink.of(e.TransactionStarted)) == 1
        assert d.sink.of(e.TransactionStopped) == []
        ledger.full = False
        assert (await cp.call("StopTransaction", stop(transaction)))[0] == 3


async def test_a_repeated_start_is_the_same_transaction() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        assert await cp.start() == await cp.start()
        assert len(d.sink.of(e.TransactionStarted)) == 1


@pytest.mark.parametrize("kind", [SlowLedger, LateLedger])
async def test_a_start_written_while_the_link_broke_is_told_once_and_known_to_the_next_link(
    kind: type[SlowLedger],
) -> None:
    ledger = kind()
    async with depot(ledger=ledger) as d:
        async with peer(d.system.port) as cp:
            starting = asyncio.create_task(cp.start())
            await asyncio.sleep(1)
            cp.link.transport.abort()
            with pytest.raises(ConnectionError):
                await starting
        async with peer(d.system.port) as cp:
            await cp.boot()
            await until(lambda: d.sink.of(e.ChargerCommissioned))
            ledger.go.set()
            transaction = await cp.start()
            assert [s.transaction_id for s in d.sink.of(e.TransactionStarted)] == [transaction]
            d.system.offer(grant(10))
            await until(lambda: d.sink.of(e.GrantAnswered))
            assert cp.profiles()[-1]["transactionId"] == transaction


async def test_a_repeated_start_of_a_stopped_transaction_does_not_run_again() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        transaction = await cp.start()
        await cp.call("StopTransaction", stop(transaction))
        assert await cp.start() == transaction
        d.system.offer(grant(10))
        await until(lambda: d.sink.of(e.GrantAnswered))
        assert d.sink.of(e.GrantAnswered)[0].detail == "no transaction"


async def test_a_repeated_stop_is_answered_and_changes_nothing() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        transaction = await cp.start()
        for _ in range(3):
            assert (await cp.call("StopTransaction", stop(transaction)))[0] == 3
        assert len(d.sink.of(e.TransactionStopped)) == 1
        assert d.refused("CP1", "foreign-transaction") == 0


@pytest.mark.parametrize("transaction", [0, -1, 424242, "7", None, "x", 2**40, 1.5])
async def test_a_stop_of_no_known_transaction_is_answered_and_counted(transaction: Any) -> None:
    async with depot() as d, peer(d.system.port) as cp:
        running = await cp.start()
        assert (await cp.call("StopTransaction", stop(transaction)))[0] == 3
        assert d.refused("CP1", "foreign-transaction") == 1
        assert d.ledger.open == {running: ConnectorId(ChargerId("CP1"), 1)}


async def test_no_charger_stops_anothers_transaction() -> None:
    specs = (charger_spec("CP1"), charger_spec("CP2"))
    async with depot(*specs) as d, peer(d.system.port) as one, peer(d.system.port, "CP2") as two:
        transaction = await one.start()
        answer = await two.call("StopTransaction", {**stop(transaction), "idTag": "TAG"})
        assert answer[2] == {"idTagInfo": {"status": "Accepted"}}
        assert d.sink.of(e.TransactionStopped) == []
        assert d.refused("CP2", "foreign-transaction") == 1
        assert (await one.call("StopTransaction", stop(transaction)))[0] == 3
        assert d.sink.of(e.TransactionStopped)[0].connector_id == ConnectorId(ChargerId("CP1"), 1)


async def test_after_a_restart_of_the_gateway_a_running_transaction_is_known() -> None:
    ledger = MemoryLedger()
    async with depot(ledger=ledger) as d, peer(d.system.port) as cp:
        transaction = await cp.start()
    async with depot(ledger=ledger) as d, peer(d.system.port) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        d.system.offer(grant(12))
        await until(lambda: d.sink.of(e.GrantAnswered))
        assert cp.profiles()[-1]["transactionId"] == transaction
        assert d.sink.of(e.TransactionStarted) == []
        assert (await cp.call("StopTransaction", stop(transaction)))[0] == 3
        assert len(d.sink.of(e.TransactionStopped)) == 1


async def test_available_while_a_transaction_runs_is_a_status_and_no_more() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.start()
        await cp.call("StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "NoError"})
        assert d.sink.of(e.ConnectorStatusReported)[0].status is ConnectorStatus.AVAILABLE
        assert d.sink.of(e.TransactionStopped) == []


async def test_a_start_where_no_connector_is_gets_an_id_and_no_leave_to_charge() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        payload = {"connectorId": 7, "idTag": "TAG", "meterStart": 0, "timestamp": STOP_AT}
        answer = (await cp.call("StartTransaction", payload))[2]
        assert answer["idTagInfo"] == {"status": "Invalid"}
        assert answer["transactionId"] > 0
        assert d.sink.of(e.TransactionStarted) == []
        assert d.refused("CP1", "unknown-connector") == 1


async def test_a_tag_that_may_not_charge_is_told_so() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        good, bad = TagStanding(TagStatus.ACCEPTED), TagStanding(TagStatus.INVALID)
        d.directory.authorise = lambda tag, _: good if tag == "GOOD" else bad  # type: ignore[method-assign]
        for tag, status in (("GOOD", "Accepted"), ("BAD", "Invalid"), ("", "Invalid")):
            assert (await cp.call("Authorize", {"idTag": tag}))[2] == {"idTagInfo": {"status": status}}


async def test_transaction_messages_beyond_the_bound_are_sent_back_to_be_repeated() -> None:
    ledger = SlowLedger()
    async with depot(ledger=ledger) as d, peer(d.system.port) as cp:
        calls = [asyncio.create_task(cp.call("StopTransaction", stop(number))) for number in range(1, 80)]
        await asyncio.sleep(1)
        early = [call.result() for call in calls if call.done()]
        assert early
        assert {answer[2] for answer in early} == {"InternalError"}
        assert d.refused("CP1", "too-many-transactions") == len(early)
        ledger.go.set()
        answers = await asyncio.gather(*calls)
        assert sum(answer[0] == 3 for answer in answers) == 79 - len(early)


async def test_meter_values_carry_the_transaction_only_where_it_is_the_chargers_own() -> None:
    meter = {"connectorId": 1, "meterValue": [{"timestamp": STOP_AT, "sampledValue": [{"value": "1000"}]}]}
    async with depot() as d, peer(d.system.port) as cp:
        transaction = await cp.start()
        await cp.call("MeterValues", {**meter, "transactionId": transaction})
        await cp.call("MeterValues", {**meter, "transactionId": 99})
        await cp.call("MeterValues", meter)
        events = d.sink.of(e.ConnectorMetered)
        assert [m.transaction_id for m in events] == [transaction, None, None]
        assert d.refused("CP1", "foreign-transaction") == 1


async def test_power_is_derived_for_a_charger_that_reports_only_its_register() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        for energy_wh in (1000, 1010):
            sample = {"value": str(energy_wh), "unit": "Wh"}
            await cp.call(
                "MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": STOP_AT, "sampledValue": [sample]}]}
            )
            await asyncio.sleep(5)
        first, second = d.sink.of(e.ConnectorMetered)
        assert first.reading.power_kw is None
        assert second.reading.power_kw == pytest.approx(7.2, rel=0.01)


async def test_what_connector_0_says_overwrites_no_connector() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.call("StatusNotification", {"connectorId": 0, "status": "Faulted", "errorCode": "NoError"})
        sample = [{"timestamp": STOP_AT, "sampledValue": [{"value": "9"}]}]
        await cp.call("MeterValues", {"connectorId": 0, "meterValue": sample})
        assert d.sink.of(e.ConnectorStatusReported) == []
        assert d.sink.of(e.ConnectorMetered) == []
        assert d.system.counters["CP1"].refused == {}


async def test_a_tag_with_enough_transactions_is_told_so_at_the_next_start_and_at_no_repetition() -> None:
    limit = ConcurrencyLimit(frozenset({IdTag("TAG"), IdTag("MATE")}), 1)
    first = {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": "2026-06-01T12:00:00Z"}
    second = {**first, "connectorId": 2, "idTag": "MATE"}
    async with depot(charger_spec("CP1", 2)) as d, peer(d.system.port) as cp:
        d.directory.concurrent = (limit,)

        async def said(start: dict[str, Any]) -> str:
            return str((await cp.call("StartTransaction", start))[2]["idTagInfo"]["status"])

        assert await said(first) == "Accepted"
        assert await said(second) == "ConcurrentTx"
        assert await said(first) == "Accepted"
        assert await said(second) == "ConcurrentTx"
        assert d.refused("CP1", "concurrent-transaction") == 2
        assert (await cp.call("Authorize", {"idTag": "TAG"}))[2]["idTagInfo"]["status"] == "Accepted"
        await cp.call("StopTransaction", stop(1001))
        assert await said({**second, "timestamp": "2026-06-01T14:00:00Z"}) == "ConcurrentTx", "the other still runs"
        await cp.call("StopTransaction", stop(1002))
        await cp.call("StopTransaction", stop(1003))
        assert await said({**first, "timestamp": "2026-06-01T15:00:00Z"}) == "Accepted"
