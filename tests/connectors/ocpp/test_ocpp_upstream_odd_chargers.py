"""What a charger states oddly costs the upstream no transaction and shifts no limit of its."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from connectors.store.upstream import UpstreamOutbox
from tests.connectors.ocpp.billing import billing, forwarding
from tests.connectors.ocpp.peer import peer, until
from twin_core.models.ids import ChargerId
from twin_core.ports import ForwardedMessage

CP1 = ChargerId("CP1")


async def test_a_start_and_a_stop_that_break_the_schema_are_told_as_they_were_understood(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        at = "2026-06-01T12:00:00Z"
        odd = {"connectorId": "1", "idTag": "TAG", "meterStart": "1000", "timestamp": at, "extra": 7}
        ours = (await charger.call("StartTransaction", odd))[2]["transactionId"]
        odd = {"transactionId": str(ours), "meterStop": 2500.0, "timestamp": at, "reason": "Because"}
        await charger.call("StopTransaction", odd)
        await until(lambda: b.said("StopTransaction"))
        start = {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": "2026-06-01T12:00:00.000Z"}
        assert b.said("StartTransaction") == [start]
        assert b.said("StopTransaction") == [
            {"transactionId": 700001, "meterStop": 2500, "timestamp": "2026-06-01T12:00:00.000Z", "reason": "Other"}
        ]


async def test_a_boot_that_breaks_the_schema_holds_nothing_back(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        model = "Wallbox-Pro-Max-22kW-2026"
        odd = {"chargePointVendor": "Maker", "chargePointModel": model, "imsi": 26201, "firmwareVersion": None, "x": {}}
        await charger.call("BootNotification", odd)
        await charger.start()
        await until(lambda: b.said("StartTransaction"))
        assert b.said("BootNotification") == [
            {"chargePointVendor": "Maker", "chargePointModel": model[:20], "imsi": "26201"}
        ]


async def test_a_boot_that_says_nothing_of_the_charger_is_told_all_the_same(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.call("BootNotification", {"chargePointVendor": ["?"]})
        await charger.start()
        await until(lambda: b.said("StartTransaction"))
        assert b.said("BootNotification") == [{"chargePointVendor": "unknown", "chargePointModel": "unknown"}]


class SlowDisk(UpstreamOutbox):
    """Takes a second to keep anything."""

    async def keep(self, messages: Sequence[ForwardedMessage]) -> tuple[int | None, ...]:
        await asyncio.sleep(1.0)
        return await super().keep(messages)


async def test_what_a_charger_says_last_before_it_leaves_does_not_wait_for_its_return(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port, ledger=SlowDisk) as d:
        async with peer(d.system.port) as charger:
            await charger.boot()
            ours = await charger.start()
            await until(lambda: b.said("StartTransaction"))
            meter = {"timestamp": "2026-06-01T12:00:05Z", "sampledValue": [{"value": "1500"}]}
            await charger.call("MeterValues", {"connectorId": 1, "transactionId": ours, "meterValue": [meter]})
        await until(lambda: b.said("MeterValues"), 30)


async def test_an_upstream_that_rejects_a_charger_is_asked_again_when_it_said(tmp_path: Path) -> None:
    rejected = {"status": "Rejected", "currentTime": "2026-06-01T12:00:00Z", "interval": 900}
    async with (
        billing(BootNotification=rejected) as b,
        forwarding(tmp_path, b.port) as d,
        peer(d.system.port) as charger,
    ):
        await charger.boot()
        await asyncio.sleep(3000)
        assert len(b.said("BootNotification")) == 4
