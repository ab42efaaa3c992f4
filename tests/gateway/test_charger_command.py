"""`depot charger` against a running gateway and a charge point, over real sockets, end to end."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.clock import WallClock
from gateway.depot import Depot
from gateway.operator_desk import MAX_WAITING
from gateway.operator_key import KEY_FILE
from gateway.site_file import parse_site
from panel.orders import ResetOrder
from tests.connectors.ocpp.peer import SILENT, Peer, peer, until
from tests.gateway.site_texts import with_line
from tests.services import free_port
from twin_core.errors import ProtocolError
from twin_core.models.charger import Aspect
from twin_core.models.ids import ChargerId

CSR = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----"
ORDERS = {
    "reset": (["reset", "--hard"], "Reset", {"type": "Hard"}),
    "unlock": (["unlock"], "UnlockConnector", {"connectorId": 1}),
    "trigger": (["trigger", "MeterValues"], "TriggerMessage", {"requestedMessage": "MeterValues"}),
    "write": (["config", "Interval=5"], "ChangeConfiguration", {"key": "Interval", "value": "5"}),
    "diagnostics": (["diagnostics", "ftp://h/in"], "GetDiagnostics", {"location": "ftp://h/in"}),
    "start": (["start", "EV-7", "--connector", "1"], "RemoteStartTransaction", {"idTag": "EV-7", "connectorId": 1}),
    "stop": (["stop", "17"], "RemoteStopTransaction", {"transactionId": 17}),
    "out of service": (
        ["availability", "inoperative"],
        "ChangeAvailability",
        {"connectorId": 0, "type": "Inoperative"},
    ),
    "back": (
        ["availability", "operative", "--connector", "1"],
        "ChangeAvailability",
        {"connectorId": 1, "type": "Operative"},
    ),
    "cache": (["clear-cache"], "ClearCache", {}),
    "transfer": (
        ["data-transfer", "com.example", "Display", "hello"],
        "DataTransfer",
        {"vendorId": "com.example", "messageId": "Display", "data": "hello"},
    ),
}
REPORTS = {"firmware_update": "Installing", "upload": "Uploading", "security_event": "TamperDetectionActivated"}


@asynccontextmanager
async def running(
    tmp_path: Path, ocpp: str = "", tables: str = "", **answers: Any
) -> AsyncIterator[tuple[Depot, Peer]]:
    text = f'data_dir = "{tmp_path / "data"}"\n{with_line("[ocpp]", ocpp)}{tables}'
    text = text[: text.index("[[meters]]")] + text[text.index("[panel]") :]
    (tmp_path / "site.toml").write_text(text)
    site, _ = parse_site(text, "x.toml")
    async with Depot(site, clock=WallClock()) as depot:
        work = asyncio.create_task(depot.run())
        async with peer(depot.central.port, answers=answers) as cp:
            await cp.boot()
            await until(lambda: depot.runtime.twin.state.chargers["CP1"].abilities is not None)  # type: ignore[index]
            cp.asked.clear()
            yield depot, cp
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def ask(tmp_path: Path, verb: str, *rest: str, charger: str = "CP1") -> int:
    named = [] if verb == "list" else [charger]
    return await asyncio.to_thread(main, ["charger", verb, str(tmp_path / "site.toml"), *named, *rest])


@pytest.mark.parametrize("order", ORDERS)
async def test_an_order_reaches_the_charger_and_its_word_the_terminal(
    order: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (verb, *rest), action, payload = ORDERS[order]
    words = {"unlock": "Unlocked", "out of service": "Scheduled"}.get(order, "Accepted")
    said = {"fileName": "d.zip"} if order == "diagnostics" else {"status": words}
    async with running(tmp_path, **{action: said}) as (_, cp):
        assert await ask(tmp_path, verb, *rest) == 0
        assert (action, payload) in cp.asked
    shown = capsys.readouterr().out
    assert "CP1 agreed" in shown
    assert next(iter(said.values())) in shown


async def test_a_security_log_is_asked_for_by_the_security_extension(tmp_path: Path) -> None:
    said = {"status": "Accepted", "filename": "security.log"}
    async with running(tmp_path, GetLog=said) as (_, cp):
        assert await ask(tmp_path, "diagnostics", "ftp://h/in", "--log", "security") == 0
        assert [asked["logType"] for action, asked in cp.asked if action == "GetLog"] == ["SecurityLog"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"status": "UnlockFailed"}, "refused: UnlockFailed"),
        ([4, "NotSupported", "no lock here", {}], "NotSupported no lock here"),
    ],
)
async def test_a_charger_that_does_not_agree_is_quoted_and_the_status_says_so(
    reply: Any, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path, UnlockConnector=reply):
        assert await ask(tmp_path, "unlock") == 1
    assert words in capsys.readouterr().out


async def test_a_charger_that_is_offline_is_told_from_one_that_is_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path):
        assert await ask(tmp_path, "reset", charger="CP2") == 1
        assert "CP2 is offline" in capsys.readouterr().out
        assert await ask(tmp_path, "reset", charger="NOBODY") == 2
        assert "no charger is called 'NOBODY'" in capsys.readouterr().err


async def test_settings_are_read_one_a_line_and_passwords_are_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [
        {"key": "HeartbeatInterval", "readonly": False, "value": "60"},
        {"key": "NumberOfConnectors", "readonly": True, "value": "1"},
        {"key": "AuthorizationKey", "readonly": False, "value": "hunter2"},
    ]
    async with running(tmp_path, GetConfiguration={"configurationKey": keys, "unknownKey": ["X"]}):
        assert await ask(tmp_path, "config") == 0
    shown = capsys.readouterr().out
    assert "HeartbeatInterval = 60" in shown
    assert "NumberOfConnectors = 1  (read only)" in shown
    assert "hunter2" not in shown


async def test_list_and_show_tell_what_is_known_also_of_before_a_restart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path) as (_, cp):
        await cp.call("FirmwareStatusNotification", {"status": "Installing"})
        await cp.call("LogStatusNotification", {"status": "Uploading"})
        await cp.call("SecurityEventNotification", {"type": "TamperDetectionActivated", "timestamp": "x"})
        await cp.call("SignCertificate", {"csr": CSR})
        assert await ask(tmp_path, "list") == 0
        listed = capsys.readouterr().out
        assert "Peer" in listed
        assert "offline" in listed
        assert await ask(tmp_path, "show", "--json") == 0
        before = json.loads(capsys.readouterr().out)
    async with running(tmp_path):
        assert await ask(tmp_path, "show", "--json") == 0
        after = json.loads(capsys.readouterr().out)
        for name, said in REPORTS.items():
            assert after[name]["said"] == said
            assert after[name] == before[name], "and when"
        assert await ask(tmp_path, "show") == 0
        shown = capsys.readouterr().out
        for words in ("Installing, 20", "TamperDetectionActivated, 20", "BEGIN CERTIFICATE REQUEST"):
            assert words in shown


async def test_what_runs_there_is_stopped_without_its_number_unless_that_could_be_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path) as (depot, cp):
        assert await ask(tmp_path, "stop") == 2
        assert "no transaction runs here" in capsys.readouterr().err
        transaction = await cp.start()
        await until(depot.runtime.twin.state.sessions)
        assert await ask(tmp_path, "stop", "--connector", "1") == 0
        assert ("RemoteStopTransaction", {"transactionId": transaction}) in cp.asked


async def test_a_chargers_own_list_is_asked_for_sent_and_emptied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = {"listVersion": 4}
    tags = '[[tags]]\nid_tag = "EV-1"\n'
    async with running(tmp_path, tables=tags, GetLocalListVersion=lambda _: version) as (_, cp):
        assert await ask(tmp_path, "local-list") == 0
        assert "agreed: 4" in capsys.readouterr().out
        assert await ask(tmp_path, "local-list", "--send") == 0
        sent = cp.asked[-1][1]
        assert (sent["listVersion"], [entry["idTag"] for entry in sent["localAuthorizationList"]]) == (5, ["EV-1"])
        version["listVersion"] = 5
        await ask(tmp_path, "show")
        assert "version 5, 1 tags" in capsys.readouterr().out
        assert await ask(tmp_path, "local-list", "--empty") == 0
        assert cp.asked[-1][1]["localAuthorizationList"] == [{"idTag": "EV-1"}]


def takes_relative_only(payload: dict[str, Any]) -> dict[str, Any]:
    kind = payload["csChargingProfiles"]["chargingProfileKind"]
    return {"status": "Accepted" if kind == "Relative" else "Rejected"}


async def test_what_was_learned_is_shown_with_its_evidence_and_forgotten_and_found_out_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path, SetChargingProfile=takes_relative_only) as (depot, cp):
        memory = depot.central.memory(ChargerId("CP1"))
        await ask(tmp_path, "show", "--json")
        learned = {line["aspect"]: line for line in json.loads(capsys.readouterr().out)["learned"]}
        assert learned["kind"]["belief"] == "takes schedules of kind Relative"
        assert learned["kind"]["seen"] == "took its fallback as a schedule of kind Relative"
        assert learned["kind"]["at"] is not None
        cp.answers["SetChargingProfile"] = {"status": "Accepted"}
        assert await ask(tmp_path, "forget", "--what", "kind") == 0
        assert "CP1 forgotten: set up anew now: CP1" in capsys.readouterr().out
        await until(lambda: memory.evidence.get(Aspect.LEASES) is not None)
        assert not memory.relative
    async with running(tmp_path) as (depot, _):
        assert not depot.central.memory(ChargerId("CP1")).relative
        assert await ask(tmp_path, "forget", "--model") == 0
        assert await ask(tmp_path, "forget", "--model", "--what", "kind") == 2
        assert await ask(tmp_path, "forget", "--model", charger="CP2") == 2
        assert "it has not booted yet" in capsys.readouterr().err
        assert await ask(tmp_path, "forget", charger="CP2") == 0
        assert "CP2 forgotten: when back: CP2" in capsys.readouterr().out


async def test_how_a_charger_stands_with_the_upstream_is_listed_shown_and_on_the_panel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream = f'[upstream]\nurl = "ws://127.0.0.1:{free_port()}/billing"\n'
    async with running(tmp_path, tables=upstream) as (depot, cp):
        await cp.start()
        await ask(tmp_path, "list", "--json")
        (first, second) = json.loads(capsys.readouterr().out)
        assert (first["upstream"]["state"], first["upstream"]["waiting"]) == ("away", 1)
        assert second["upstream"]["state"] == "idle"
        await ask(tmp_path, "list")
        assert "away · 1 waiting" in capsys.readouterr().out
        assert depot.upstream is not None
        depot.upstream.of(ChargerId("CP1")).counters.refused["upstream-silent"] += 3  # type: ignore[union-attr]
        await ask(tmp_path, "show")
        shown = capsys.readouterr().out
        assert "1 waiting · 0 delivered" in shown
        assert "upstream-silent 3" in shown
        assert "Connect call failed" in shown
        await until(lambda: depot.feed.view is not None and depot.feed.view.upstream is not None, 10)
        assert depot.feed.view is not None
        assert depot.feed.view.upstream is not None
        assert "/billing" in depot.feed.view.upstream.url


async def test_a_site_without_an_upstream_says_nothing_of_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path) as (depot, _):
        await ask(tmp_path, "list")
        await ask(tmp_path, "show")
        assert "upstream" not in capsys.readouterr().out
        await until(lambda: depot.feed.view is not None, 10)
        assert depot.feed.view is not None
        assert depot.feed.view.upstream is None


async def test_a_reservation_is_made_shown_and_given_up_and_outlives_the_gateway(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path) as (_, cp):
        assert await ask(tmp_path, "reserve", "1", "EV-7", "--minutes", "30", "--json") == 0
        number = json.loads(capsys.readouterr().out)["number"]
        assert cp.asked[-1][1]["idTag"] == "EV-7"
    async with running(tmp_path) as (_, cp):
        await ask(tmp_path, "show", "--json")
        (kept,) = json.loads(capsys.readouterr().out)["reservations"]
        assert (kept["number"], kept["state"]) == (number, "accepted")
        assert await ask(tmp_path, "reserve", "--cancel", str(number)) == 0
        assert ("CancelReservation", {"reservationId": number}) in cp.asked
        await ask(tmp_path, "show", "--json")
        assert json.loads(capsys.readouterr().out.partition("\n")[2])["reservations"] == []


async def test_a_certificate_is_delivered_installed_listed_and_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    path, one = str(tmp_path / "c.pem"), {"hashAlgorithm": "SHA256", "serialNumber": "0042"}
    held = {"status": "Accepted", "certificateHashData": [{**one, "issuerNameHash": "aa", "issuerKeyHash": "bb"}]}
    async with running(tmp_path, GetInstalledCertificateIds=held) as (_, cp):
        assert await ask(tmp_path, "certificate", "--deliver", path) == 0
        assert await ask(tmp_path, "certificate", "--install", path, "--of-manufacturer") == 0
        assert await ask(tmp_path, "certificate", "--list") == 0
        assert await ask(tmp_path, "certificate", "--delete", "SHA256", "aa", "bb", "0042") == 0
        pem = "-----BEGIN CERTIFICATE-----\n"
        assert cp.asked == [
            ("CertificateSigned", {"certificateChain": pem}),
            ("InstallCertificate", {"certificateType": "ManufacturerRootCertificate", "certificate": pem}),
            ("GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"}),
            ("DeleteCertificate", {"certificateHashData": held["certificateHashData"][0]}),
        ]
    assert "0042" in capsys.readouterr().out


async def test_a_signing_request_is_printed_as_the_charger_sent_it_and_none_is_told_by_the_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path) as (_, cp):
        assert await ask(tmp_path, "certificate", "--request") == 1
        await cp.call("SignCertificate", {"csr": CSR})
        assert await ask(tmp_path, "certificate", "--request") == 0
    assert capsys.readouterr().out == f"{CSR}\n"


async def test_the_key_is_for_its_owner_alone_and_goes_with_the_gateway(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data" / KEY_FILE
    async with running(tmp_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
    assert await ask(tmp_path, "list") == 2
    assert "no gateway with a panel runs on" in capsys.readouterr().err


async def test_where_the_site_asks_for_it_chargers_get_the_list_of_tags(tmp_path: Path) -> None:
    enabled = {"configurationKey": [{"key": "LocalAuthListEnabled", "readonly": False, "value": "false"}]}
    tags = '[[tags]]\nid_tag = "EV-1"\n[authorisation]\nlocal_list = true\n'
    written: list[dict[str, Any]] = []

    def take(payload: dict[str, Any]) -> dict[str, Any]:
        written.append(payload)
        return {"status": "Accepted"}

    answers = {"GetLocalListVersion": {"listVersion": 0}, "GetConfiguration": enabled}
    async with running(tmp_path, tables=tags, ChangeConfiguration=take, SendLocalList=take, **answers):
        await until(lambda: any("listVersion" in payload for payload in written), 10)
    assert {"key": "LocalAuthListEnabled", "value": "true"} in written
    entry = {"idTag": "EV-1", "idTagInfo": {"status": "Accepted"}}
    assert written[-1] == {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry]}


async def test_where_the_site_does_not_ask_for_it_no_list_is_touched(tmp_path: Path) -> None:
    async with running(tmp_path, tables='[[tags]]\nid_tag = "EV-1"\n') as (_, cp):
        await asyncio.sleep(0.5)
        assert {"SendLocalList", "GetLocalListVersion"}.isdisjoint(action for action, _ in cp.asked)


async def test_orders_do_not_pile_up_before_a_charger_that_does_not_answer(tmp_path: Path) -> None:
    async with running(tmp_path, Reset=SILENT) as (depot, cp):
        waiting = [asyncio.create_task(depot.desk.carry_out("CP1", ResetOrder())) for _ in range(MAX_WAITING)]
        await until(lambda: cp.asked, 5)
        with pytest.raises(ProtocolError, match="let it answer first"):
            await depot.desk.carry_out("CP1", ResetOrder())
        cp.answers["Reset"] = {"status": "Accepted"}
        await cp.raw([3, cp.unanswered[-1], {"status": "Accepted"}])
        answers = await asyncio.gather(*waiting)
        assert {answer.outcome for answer in answers if answer is not None} == {"done"}
        assert await depot.desk.carry_out("CP1", ResetOrder()) is not None


async def test_a_charger_that_stays_silent_is_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path, "call_timeout_s = 0.5", Reset=SILENT):
        assert await ask(tmp_path, "reset") == 1
    assert "did not answer in time" in capsys.readouterr().out
