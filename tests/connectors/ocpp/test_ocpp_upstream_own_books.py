"""What the depot writes of a transaction by itself reaches the upstream: once, in order, with its meter and time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connectors.store.upstream import UpstreamOutbox
from tests.connectors.ocpp.billing import Billing, billing, forwarding
from tests.connectors.ocpp.peer import Peer, peer, until
from tests.fakes import LoopClock
from twin_core.errors import StorageError
from twin_core.models import events as e
from twin_core.models.ids import ChargerId
from twin_core.ports import ForwardedMessage

THEIRS = 4711


def now() -> str:
    return LoopClock().now().utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def sample(charger: Peer, wh: int | None, transaction: int = THEIRS) -> str:
    at = now()
    values = [{"value": "16.0", "measurand": "Current.Import"}]
    values += [] if wh is None else [{"value": str(wh), "unit": "Wh"}]
    meter = {"timestamp": at, "sampledValue": values}
    await charger.call("MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": [meter]})
    return at


async def says(charger: Peer, status: str) -> str:
    at = now()
    await charger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": status})
    return at


async def taken_over(charger: Peer, d: Any, wh: int | None = 5000) -> str:
    """A transaction runs that nobody saw start; returns when its first sample came."""
    await charger.boot()
    await says(charger, "Charging")
    first = await sample(charger, wh)
    await asyncio.sleep(1)
    await sample(charger, wh)
    await until(lambda: d.sink.of(e.TransactionStarted))
    return first


async def stop(charger: Peer, transaction: int = THEIRS) -> None:
    payload = {"transactionId": transaction, "meterStop": 9000, "timestamp": now(), "reason": "EVDisconnected"}
    await charger.call("StopTransaction", payload)


def lasting(b: Billing) -> list[str]:
    return [action for action in b.order() if action in ("StartTransaction", "MeterValues", "StopTransaction")]


async def test_a_transaction_that_was_taken_over_is_told_from_its_first_sample_on_and_goes_on_whatever_they_say(
    tmp_path: Path,
) -> None:
    unknown = {"transactionId": 70, "idTagInfo": {"status": "Invalid"}}
    async with (
        billing(StartTransaction=unknown) as b,
        forwarding(tmp_path, b.port) as d,
        peer(d.system.port) as charger,
    ):
        first = await taken_over(charger, d)
        await sample(charger, 5500)
        await stop(charger)
        await until(lambda: b.said("StopTransaction"))
        told = {"connectorId": 1, "idTag": "UNKNOWN", "meterStart": 5000, "timestamp": first}
        assert b.said("StartTransaction") == [told]
        assert lasting(b)[-3:] == ["StartTransaction", "MeterValues", "StopTransaction"]
        assert b.said("MeterValues")[-1]["transactionId"] == b.said("StopTransaction")[0]["transactionId"] == 70
        assert "RemoteStopTransaction" not in [action for action, _ in charger.asked]
        latest = d.upstream.snapshot().chargers[ChargerId("CP1")].latest
        assert [conflict.kind.value for conflict in latest] == ["tag"]


async def test_one_whose_register_nobody_knows_is_not_told_since_it_would_be_billed_from_zero(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await taken_over(charger, d, wh=None)
        await stop(charger)
        await asyncio.sleep(60)
        assert b.said("StartTransaction") == b.said("StopTransaction") == []
        dropped = d.upstream.snapshot().chargers[ChargerId("CP1")].dropped
        assert dropped["StopTransaction: the upstream has no such transaction"] == 1


async def test_a_transaction_that_is_closed_here_is_stopped_there_when_its_connector_became_free(
    tmp_path: Path,
) -> None:
    async with billing() as b:
        async with forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
            await charger.boot()
            ours = await charger.start()
            await sample(charger, 1500, ours)
            freed = await says(charger, "Available")
            await until(lambda: b.said("StopTransaction"), 120)
            (told,) = b.said("StopTransaction")
            assert told == {"transactionId": 700001, "meterStop": 1500, "timestamp": freed, "reason": "Other"}
            assert lasting(b) == ["StartTransaction", "MeterValues", "StopTransaction"]
            await stop(charger, ours)
        async with forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
            await charger.boot()
            await asyncio.sleep(60)
            assert len(b.said("StopTransaction")) == 1


class ShutDisk(UpstreamOutbox):
    """Keeps nothing while `shut`."""

    shut = True

    async def keep(self, messages: Sequence[ForwardedMessage]) -> tuple[int | None, ...]:
        if self.shut:
            raise StorageError("full")
        return await super().keep(messages)


async def test_what_the_books_held_when_the_gateway_was_killed_is_told_by_the_next_one_once(tmp_path: Path) -> None:
    async with billing() as b:
        await b.shut()
        async with forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
            await charger.boot()
            ours = await charger.start()
            await sample(charger, 1500, ours)
            await says(charger, "Available")
            # From here on the upstream's part of the disk refuses, as if the gateway were gone between two commits.
            d.upstream.of(ChargerId("CP1")).outbox._ledger = ShutDisk(d.store)  # type: ignore[union-attr]
            await until(lambda: d.refused("CP1", "storage"), 120)
        b.back()
        async with forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
            await charger.boot()
            await until(lambda: b.said("StopTransaction"), 200)
            await asyncio.sleep(120)
            assert lasting(b) == ["StartTransaction", "MeterValues", "StopTransaction"]
            assert b.said("StopTransaction")[0]["meterStop"] == 1500
            assert d.upstream.snapshot().waiting == 0
