"""A charger's words reach a second central system under its own name, whole and in order; its words to us stay ours."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.ocpp.vendors import VendorAnswer
from connectors.store.upstream import UpstreamOutbox
from tests.connectors.ocpp.billing import SILENT, billing, forwarding
from tests.connectors.ocpp.peer import Peer, charger_spec, peer, until
from twin_core.errors import StorageError
from twin_core.models.ids import ChargerId
from twin_core.ports import ForwardedMessage


def sample(wh: int, at: str, transaction: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "connectorId": 1,
        "meterValue": [{"timestamp": at, "sampledValue": [{"value": str(wh), "unit": "Wh"}]}],
    }
    return found if transaction is None else {**found, "transactionId": transaction}


async def stop(charger: Peer, transaction: int, at: str = "2026-06-01T13:00:00Z") -> list[Any]:
    return await charger.call(
        "StopTransaction", {"transactionId": transaction, "meterStop": 2000, "timestamp": at, "idTag": "TAG"}
    )


async def test_a_charger_keeps_its_identity_and_password_and_what_it_said(tmp_path: Path) -> None:
    passwords = {ChargerId("CP 1"): "secret"}
    async with (
        billing() as b,
        forwarding(tmp_path, b.port, charger_spec("CP 1"), passwords=passwords) as d,
        peer(d.system.port, "CP%201") as charger,
    ):
        await charger.boot()
        await charger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
        await until(lambda: b.order("CP%201") == ["BootNotification", "StatusNotification"])
        assert b.logins == [("/billing/CP%201", "ocpp1.6", "Basic " + base64.b64encode(b"CP 1:secret").decode())]
        assert b.said("BootNotification", "CP%201") == [{"chargePointVendor": "Test", "chargePointModel": "Peer"}]
        assert b.said("StatusNotification", "CP%201")[0]["status"] == "Available"


async def test_a_transaction_has_the_number_of_whoever_is_spoken_to(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        ours = await charger.start()
        await charger.call("MeterValues", sample(1500, "2026-06-01T12:30:00Z", ours))
        await stop(charger, ours)
        await until(lambda: b.said("StopTransaction"))
        assert ours != 700001
        assert b.said("StartTransaction")[0]["timestamp"] == "2026-06-01T12:00:00Z"
        assert b.said("MeterValues")[0]["transactionId"] == 700001
        assert b.said("StopTransaction")[0]["transactionId"] == 700001
        answer = await b.ask("CP1", "RemoteStopTransaction", {"transactionId": 700001})
        assert answer[2] == {"status": "Accepted"}
        assert ("RemoteStopTransaction", {"transactionId": ours}) in charger.asked


async def test_a_start_and_a_stop_said_twice_reach_the_upstream_once(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        ours = await charger.start()
        assert await charger.start() == ours
        for _ in range(2):
            await stop(charger, ours)
        await until(lambda: b.said("StopTransaction"))
        await asyncio.sleep(5)
        assert len(b.said("StartTransaction")) == len(b.said("StopTransaction")) == 1


async def test_an_hour_without_the_upstream_loses_no_transaction_and_keeps_the_order(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        await until(lambda: b.said("BootNotification"))
        said: list[tuple[str, str]] = []
        for hour in range(24):
            if hour == 10:
                await b.shut()
            if hour == 11:
                b.back()
            begins, meters, ends = (f"2026-06-01T{hour:02}:{minute:02}:00Z" for minute in (1, 30, 50))
            ours = await charger.start(tag=f"T{hour}", at=begins)
            await charger.call("MeterValues", sample(1500, meters, ours))
            await charger.call("Heartbeat")
            await stop(charger, ours, ends)
            said += [("StartTransaction", begins), ("MeterValues", meters), ("StopTransaction", ends)]
            await asyncio.sleep(3600)
        await until(lambda: len(b.said("StopTransaction")) == 24)
        lasting = ("StartTransaction", "MeterValues", "StopTransaction")
        heard = [(a, p["meterValue"][0] if a == "MeterValues" else p) for _, a, p in b.heard if a in lasting]
        assert [(action, payload["timestamp"]) for action, payload in heard] == said
        numbers = [p["transactionId"] for _, a, p in b.heard if a in lasting[1:]]
        assert numbers == [700001 + n // 2 for n in range(48)]
        status = d.upstream.snapshot().chargers[ChargerId("CP1")]
        assert status.waiting == 0
        assert status.links == 2
        assert status.dropped.keys() <= {"Heartbeat: no link"}
        assert status.dropped["Heartbeat: no link"] >= 1


async def test_what_waited_when_the_gateway_was_killed_is_delivered_by_the_next_one(tmp_path: Path) -> None:
    async with billing() as b:
        await b.shut()
        async with forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
            await charger.boot()
            ours = await charger.start()
            await stop(charger, ours)
        b.back()
        async with forwarding(tmp_path, b.port) as d:
            await until(lambda: b.said("StopTransaction"), 200)
            assert b.order() == ["StartTransaction", "StopTransaction"]
            await until(lambda: b.links["CP1"].state.name != "OPEN")
            assert not d.upstream.snapshot().chargers[ChargerId("CP1")].linked


async def test_a_tag_may_charge_where_both_say_so(tmp_path: Path) -> None:
    blocked = {"idTagInfo": {"status": "Blocked"}}
    async with (
        billing(Authorize=lambda p: blocked if p["idTag"] == "POOR" else {"idTagInfo": {"status": "Accepted"}}) as b,
        forwarding(tmp_path, b.port, authorise=lambda tag: tag != "STRANGER") as d,
        peer(d.system.port) as charger,
    ):
        await charger.boot()
        await until(lambda: d.upstream.snapshot().chargers[ChargerId("CP1")].accepted)
        verdicts = {}
        for tag in ("GOOD", "POOR", "STRANGER"):
            verdicts[tag] = (await charger.call("Authorize", {"idTag": tag}))[2]["idTagInfo"]["status"]
        assert verdicts == {"GOOD": "Accepted", "POOR": "Blocked", "STRANGER": "Invalid"}
        assert [p["idTag"] for p in b.said("Authorize")] == ["GOOD", "POOR"]
        status = d.upstream.snapshot().chargers[ChargerId("CP1")]
        assert status.conflicts == {"tag": 1}
        assert "upstream says Blocked" in status.latest[-1].words


async def test_a_private_message_reaches_the_upstream_unless_the_depot_understands_its_vendor(tmp_path: Path) -> None:
    async with (
        billing(DataTransfer={"status": "Accepted", "data": "theirs"}) as b,
        forwarding(tmp_path, b.port, vendors={"ours": lambda *_: VendorAnswer("Accepted", "ours")}) as d,
        peer(d.system.port) as charger,
    ):
        await charger.boot()
        await until(lambda: d.upstream.snapshot().chargers[ChargerId("CP1")].accepted)
        for vendor in ("ours", "theirs"):
            answer = await charger.call("DataTransfer", {"vendorId": vendor})
            assert answer[2] == {"status": "Accepted", "data": vendor}
        assert [p["vendorId"] for p in b.said("DataTransfer")] == ["theirs"]
        assert d.refused("CP1", "unknown-vendor") == 0
        for nobodys in ({"status": "UnknownVendorId"}, {"status": "Never heard of it"}):
            b.answers["DataTransfer"] = nobodys
            answer = await charger.call("DataTransfer", {"vendorId": "theirs"})
            assert answer[2] == {"status": "UnknownVendorId"}
        assert d.refused("CP1", "unknown-vendor") == 2


async def test_an_upstream_that_stalls_is_waited_for_once_and_then_not_at_all(tmp_path: Path) -> None:
    async with (
        billing(Authorize=SILENT, StartTransaction=SILENT) as b,
        forwarding(tmp_path, b.port) as d,
        peer(d.system.port) as charger,
    ):
        await charger.boot()
        await until(lambda: d.upstream.snapshot().chargers[ChargerId("CP1")].accepted)
        loop = asyncio.get_running_loop()
        waits = []
        for _ in range(3):
            before = loop.time()
            assert (await charger.call("Authorize", {"idTag": "TAG"}))[2]["idTagInfo"]["status"] == "Accepted"
            waits.append(loop.time() - before)
        assert 1.9 < waits[0] < 2.2
        assert max(waits[1:]) < 0.1


async def test_a_tag_refused_too_late_is_explained_and_its_transaction_stopped(tmp_path: Path) -> None:
    refused = {"transactionId": 5, "idTagInfo": {"status": "Blocked"}}
    async with billing(StartTransaction=refused) as b:
        await b.shut()
        async with forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
            await charger.boot()
            ours = await charger.start()
            b.back()
            await until(lambda: ("RemoteStopTransaction", {"transactionId": ours}) in charger.asked, 200)
            assert d.upstream.snapshot().chargers[ChargerId("CP1")].conflicts == {"late-tag": 1}
            assert charger.asked


@pytest.mark.parametrize(
    "key", ["OcppServerAddress", "CSMS_Address", "BackOffice-URL-wired", "OCPP host", "centralServer"]
)
async def test_the_upstream_cannot_lead_a_charger_away_from_the_depot(key: str, tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        await until(lambda: b.said("BootNotification"))
        answer = await b.ask("CP1", "ChangeConfiguration", {"key": key, "value": "ws://elsewhere"})
        assert answer[2] == {"status": "Rejected"}
        assert key not in [asked.get("key") for action, asked in charger.asked if action == "ChangeConfiguration"]


async def test_a_setting_that_control_rests_on_is_refused_with_a_reason(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        await until(lambda: d.upstream.snapshot().chargers[ChargerId("CP1")].accepted)
        theirs = {"key": "LightIntensity", "value": "50"}
        ours = {"key": "MeterValueSampleInterval", "value": "900"}
        assert (await b.ask("CP1", "ChangeConfiguration", theirs))[2] == {"status": "Accepted"}
        assert (await b.ask("CP1", "ChangeConfiguration", ours))[2] == {"status": "Rejected"}
        assert ("ChangeConfiguration", theirs) in charger.asked
        assert ("ChangeConfiguration", ours) not in charger.asked
        latest = d.upstream.snapshot().chargers[ChargerId("CP1")].latest[-1]
        assert "control lives by the samples" in latest.words
        assert (await b.ask("CP1", "UpdateFirmware", {}))[2:4][0] == "NotSupported"
        assert (await b.ask("CP1", "../../Passwords", {}))[2] == "NotImplemented"


async def test_only_what_the_site_names_is_forwarded(tmp_path: Path) -> None:
    named = frozenset({"StartTransaction", "StopTransaction"})
    async with billing() as b, forwarding(tmp_path, b.port, messages=named) as d, peer(d.system.port) as charger:
        await charger.boot()
        ours = await charger.start()
        await charger.call("MeterValues", sample(1500, "2026-06-01T12:30:00Z", ours))
        await asyncio.sleep(4000)
        await stop(charger, ours)
        await until(lambda: b.said("StopTransaction"))
        assert b.order() == ["StartTransaction", "StopTransaction"]
        assert d.upstream.snapshot().chargers[ChargerId("CP1")].links == 1


async def test_the_upstream_gets_the_heartbeat_it_asked_for(tmp_path: Path) -> None:
    welcome = {"status": "Accepted", "currentTime": "2026-06-01T12:00:00Z", "interval": 60}
    async with (
        billing(BootNotification=welcome) as b,
        forwarding(tmp_path, b.port) as d,
        peer(d.system.port) as charger,
    ):
        await charger.boot()
        await asyncio.sleep(600)
        assert 9 <= len(b.said("Heartbeat")) <= 10


async def test_what_the_upstream_triggers_is_said_again_and_commissions_nothing_anew(tmp_path: Path) -> None:
    async with billing() as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        await charger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
        await until(lambda: len(b.order()) == 2)
        await asyncio.sleep(10)
        before = len(charger.asked)
        for wanted in ("BootNotification", "StatusNotification"):
            answer = await b.ask("CP1", "TriggerMessage", {"requestedMessage": wanted})
            assert answer[2] == {"status": "Accepted"}
        await until(lambda: len(b.order()) == 4)
        assert sorted(b.order()[2:]) == ["BootNotification", "StatusNotification"]
        assert len(charger.asked) == before


async def test_what_is_kept_and_what_is_not_go_up_in_the_order_they_were_said(tmp_path: Path) -> None:
    answers = iter([[4, "InternalError", "not now", {}], {"transactionId": 3, "idTagInfo": {"status": "Accepted"}}])
    async with (
        billing(StartTransaction=lambda _: next(answers)) as b,
        forwarding(tmp_path, b.port) as d,
        peer(d.system.port) as charger,
    ):
        await charger.boot()
        await until(lambda: d.upstream.snapshot().chargers[ChargerId("CP1")].accepted)
        ours = await charger.start()
        for status in ("Charging", "Finishing", "Available"):
            if status == "Available":
                await stop(charger, ours)
            await charger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": status})
        await until(lambda: len(b.order()) == 7)
        assert b.order()[1:] == [
            *["StartTransaction"] * 2,
            *["StatusNotification"] * 2,
            "StopTransaction",
            "StatusNotification",
        ]
        assert [p["status"] for p in b.said("StatusNotification")] == ["Charging", "Finishing", "Available"]


async def test_an_upstream_that_answers_nothing_for_hours_costs_no_transaction(tmp_path: Path) -> None:
    async with billing(StartTransaction=SILENT) as b, forwarding(tmp_path, b.port) as d, peer(d.system.port) as charger:
        await charger.boot()
        ours = await charger.start()
        await stop(charger, ours)
        await asyncio.sleep(7200)
        assert len(b.said("StartTransaction")) > 10
        del b.answers["StartTransaction"]
        await until(lambda: b.said("StopTransaction"), 200)
        status = d.upstream.snapshot().chargers[ChargerId("CP1")]
        assert (status.waiting, status.dropped) == (0, {})


async def test_what_an_adopted_charger_left_waits_until_it_comes_back(tmp_path: Path) -> None:
    async with billing() as b:
        await b.shut()
        async with forwarding(tmp_path, b.port, beforehand=False) as d, peer(d.system.port) as charger:
            await charger.boot()
            await stop(charger, await charger.start())
        b.back()
        async with forwarding(tmp_path, b.port, beforehand=False) as d:
            await asyncio.sleep(100)
            assert b.order() == []
            async with peer(d.system.port) as charger:
                await charger.boot()
                await until(lambda: b.said("StopTransaction"), 100)
                assert b.order() == ["BootNotification", "StartTransaction", "StopTransaction"]


class FullDisk(UpstreamOutbox):
    """Keeps nothing while `full`."""

    full = True

    async def keep(self, messages: Sequence[ForwardedMessage]) -> tuple[int | None, ...]:
        if self.full:
            raise StorageError("full")
        return await super().keep(messages)


async def test_a_transaction_that_cannot_be_kept_for_the_upstream_is_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        billing() as b,
        forwarding(tmp_path, b.port, ledger=FullDisk) as d,
        peer(d.system.port) as charger,
    ):
        await charger.boot()
        payload = {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": "2026-06-01T12:00:00Z"}
        assert (await charger.call("StartTransaction", payload))[2] == "InternalError"
        assert d.upstream.snapshot().chargers[ChargerId("CP1")].dropped == {"StartTransaction: storage": 1}
        monkeypatch.setattr(FullDisk, "full", False)
        assert (await charger.call("StartTransaction", payload))[2]["idTagInfo"] == {"status": "Accepted"}
        await until(lambda: b.said("StartTransaction"))
        assert len(b.said("StartTransaction")) == 1


async def test_a_tag_is_asked_about_also_while_a_start_waits_to_be_said_again(tmp_path: Path) -> None:
    async with (
        billing(
            StartTransaction=[4, "InternalError", "not now", {}], Authorize={"idTagInfo": {"status": "Blocked"}}
        ) as b,
        forwarding(tmp_path, b.port) as d,
        peer(d.system.port) as charger,
    ):
        await charger.boot()
        await until(lambda: d.upstream.snapshot().chargers[ChargerId("CP1")].accepted)
        await charger.start()
        await asyncio.sleep(1)
        assert (await charger.call("Authorize", {"idTag": "TAG"}))[2]["idTagInfo"]["status"] == "Blocked"
        assert len(b.said("StartTransaction")) == 1
        await until(lambda: len(b.said("StartTransaction")) == 3)
