"""Whatever a charger sends, its session lives on, the frame is counted, and what can be answered is answered."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.ocpp.charger import Charger, Surroundings
from connectors.ocpp.incoming.answering import Inline
from connectors.ocpp.memory import ChargerMemory
from connectors.ocpp.refusals import Refusals
from connectors.ocpp.routing import INCOMING
from connectors.ocpp.schemas import check_result
from connectors.ocpp.settings import CentralSystemSettings
from connectors.ocpp.upkeep import MemoryUpkeep
from tests.connectors.ocpp.peer import charger_spec, depot, peer, until
from tests.connectors.ocpp.test_ocpp_frames import JSON
from tests.fakes import EventList, ListedChargers, LoopClock, MemoryLedger, instant
from twin_core.models import events as e
from twin_core.models.ids import ChargerId

NO_ANSWER = None

CORPUS: list[tuple[str | bytes, str | None, str]] = [
    # no message at all: counted, nothing to answer
    ("", NO_ANSWER, "frame-not-json"),
    ("nonsense", NO_ANSWER, "frame-not-json"),
    ("{}", NO_ANSWER, "frame-not-a-message"),
    ("null", NO_ANSWER, "frame-not-a-message"),
    ("[]", NO_ANSWER, "frame-not-a-message"),
    ("[2]", NO_ANSWER, "frame-not-a-message"),
    ('[2,"t1","Heartbeat",{}', NO_ANSWER, "frame-not-json"),
    ('[2,"t1","Heartbeat",{}]]', NO_ANSWER, "frame-not-json"),
    ("[" * 6000 + "]" * 6000, NO_ANSWER, "frame-too-deep"),
    ('[2,"t1","Heartbeat",' + '{"a":' * 6000 + "1" + "}" * 6000 + "]", NO_ANSWER, "frame-too-deep"),
    ('[2,"t1","Heartbeat",{"a":1' + "0" * 5000 + "}]", NO_ANSWER, "frame-not-json"),
    ('[2,"t1","Heartbeat",{"a":NaN}]', NO_ANSWER, "frame-not-json"),
    ('[2,"t1","Heartbeat",{"a":Infinity}]', NO_ANSWER, "frame-not-json"),
    ('[2,"t1","Heartbeat",{"a":1e999}]', NO_ANSWER, "frame-not-json"),
    (b'\xff\xfe[2,"t1"]', NO_ANSWER, "frame-not-json"),
    (b"\x00" * 100, NO_ANSWER, "frame-not-json"),
    ('[5,"t1",{}]', NO_ANSWER, "frame-unknown-type"),
    ('[true,"t1","Heartbeat",{}]', NO_ANSWER, "frame-unknown-type"),
    ('[2,null,"Heartbeat",{}]', NO_ANSWER, "frame-bad-id"),
    ('[2,{"a":1},"Heartbeat",{}]', NO_ANSWER, "frame-bad-id"),
    ('[2,"' + "x" * 200 + '","Heartbeat",{}]', NO_ANSWER, "frame-bad-id"),
    # answers to nothing
    ('[3,"t1",{}]', NO_ANSWER, "unsolicited-answer"),
    ('[3,"t1"]', NO_ANSWER, "unsolicited-answer"),
    ('[3,"t1",[]]', NO_ANSWER, "result-not-an-object"),
    ('[4,"t1","GenericError"]', NO_ANSWER, "unsolicited-answer"),
    ('[4,"t1","GenericError","text",{}]', NO_ANSWER, "unsolicited-answer"),
    ('[4,"t1"]', NO_ANSWER, "unsolicited-answer"),
    # calls that cannot be understood
    ('[2,"t1",["Heartbeat"],{}]', "FormationViolation", "call-bad-action"),
    ('[2,"t1",{"Heartbeat":1},{}]', "FormationViolation", "call-bad-action"),
    ('[2,"t1",null,{}]', "FormationViolation", "call-bad-action"),
    ('[2,"t1",7,{}]', "FormationViolation", "call-bad-action"),
    ('[2,"t1"]', "FormationViolation", "call-bad-action"),
    ('[2,"t1","Heartbeat",[]]', "FormationViolation", "call-not-an-object"),
    ('[2,"t1","Heartbeat","text"]', "FormationViolation", "call-not-an-object"),
    ('[2,"t1","Dance",{}]', "NotImplemented", "unknown-action"),
    ('[2,"t1","heartbeat",{}]', "NotImplemented", "unknown-action"),
    ('[2,"t1","__class__",{}]', "NotImplemented", "unknown-action"),
    ('[2,"t1","Reset",{"type":"Hard"}]', "NotSupported", "unsupported-action"),
    ('[2,"t1","UpdateFirmware",{}]', "NotSupported", "unsupported-action"),
    # calls that are wrong and can be answered all the same
    ('["2","t1","Heartbeat",{}]', "result", "frame"),
    ('[2,"t1","Heartbeat"]', "result", "frame"),
    ('[2,"t1","Heartbeat",null]', "result", "frame"),
    ('[2,"t1","Heartbeat",{},{},{}]', "result", "frame"),
    ('[2,"t1","Heartbeat",{"extra":[1,2,{"deep":null}]}]', "result", "Heartbeat"),
    ('[2,"t1","BootNotification",{}]', "result", "BootNotification"),
    ('[2,"t1","BootNotification",{"chargePointVendor":["x"],"chargePointModel":7}]', "result", "BootNotification"),
    ('[2,"t1","Authorize",{}]', "result", "Authorize"),
    ('[2,"t1","StatusNotification",{}]', "result", "unknown-connector"),
    (
        '[2,"t1","StatusNotification",{"connectorId":1,"status":"Occupied","errorCode":"Error"}]',
        "result",
        "unknown-status",
    ),
    ('[2,"t1","StatusNotification",{"connectorId":-1,"status":"Available"}]', "result", "unknown-connector"),
    ('[2,"t1","MeterValues",{}]', "result", "unknown-connector"),
    (
        '[2,"t1","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"NaN"}]}]}]',
        "result",
        "meter-not-a-number",
    ),
    ('[2,"t1","MeterValues",{"connectorId":1,"meterValue":{"timestamp":1}}]', "result", "MeterValues"),
    ('[2,"t1","MeterValues",{"connectorId":99,"transactionId":-5,"meterValue":[]}]', "result", "unknown-connector"),
    ('[2,"t1","StartTransaction",{}]', "result", "start-unreadable"),
    (
        '[2,"t1","StartTransaction",{"connectorId":"x","idTag":[],"meterStart":"NaN","timestamp":"?"}]',
        "result",
        "start-unreadable",
    ),
    ('[2,"t1","StopTransaction",{}]', "result", "foreign-transaction"),
    ('[2,"t1","StopTransaction",{"transactionId":"abc","meterStop":null}]', "result", "foreign-transaction"),
    ('[2,"t1","StopTransaction",{"transactionId":1e300}]', "result", "foreign-transaction"),
    ('[2,"t1","DataTransfer",{"vendorId":"\\u0000\\r\\n<script>"}]', "result", "unknown-vendor"),
    ('[2,"t1","SignCertificate",{"csr":"x"}]', "result", "csr-unreadable"),
    ('[2,"t1","SecurityEventNotification",{"type":"x","timestamp":"?"}]', "result", "SecurityEventNotification"),
    ('[2,"t1","FirmwareStatusNotification",{"status":"?"}]', "result", "unknown-status"),
    ('[2,"t1","DiagnosticsStatusNotification",{}]', "result", "unknown-status"),
]


@pytest.mark.parametrize(("frame", "answer", "counted"), CORPUS, ids=range(len(CORPUS)))
async def test_a_malformed_frame_is_survived_and_counted_by_charger_and_cause(
    frame: str | bytes, answer: str | None, counted: str
) -> None:
    specs = (charger_spec("CP1"), charger_spec("CP2"))
    async with depot(*specs) as d, peer(d.system.port) as cp, peer(d.system.port, "CP2") as other:
        await cp.raw(frame)
        assert (await other.call("Heartbeat"))[0] == 3
        beat = await cp.call("Heartbeat")  # answered after it, on the same link
        assert beat[0] == 3
        if answer is None:
            assert cp.stray == []
            assert sum(d.system.counters["CP1"].refused.values()) == 1
            assert len(d.sink.of(e.InputRefused)) == 1
        else:
            await until(lambda: cp.stray)  # a transaction's answer may come behind
            (got,) = cp.stray
            assert got[1] == "t1"
            assert (got[2] if got[0] == 4 else "result") == answer
        assert d.refused("CP1", counted) + d.system.counters["CP1"].flawed[counted] == 1
        assert (dict(d.system.counters["CP2"].refused), dict(d.system.counters["CP2"].flawed)) == ({}, {})
        assert d.sink.of(e.ChargerDisconnected) == []
        assert d.sink.of(e.TransactionStarted) == []


async def test_a_numeric_unique_id_is_echoed_as_it_came() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.raw('[2,17,"Heartbeat",{}]')
        await until(lambda: cp.stray)
        assert cp.stray[0][:2] == [3, 17]


async def test_an_answer_that_cannot_be_read_fails_its_call_at_once() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        cp.answers["Reset"] = [3, "Accepted"]
        begun = asyncio.get_running_loop().time()
        outcome = await d.system.call(ChargerId("CP1"), "Reset", {"type": "Soft"})
        assert getattr(outcome, "code", "") == "FormationViolation"
        assert asyncio.get_running_loop().time() - begun < 1


def served(connectors: int = 2) -> tuple[Charger, EventList]:
    sink = EventList()
    clock = LoopClock()
    clock.now = lambda: instant(5.0)  # type: ignore[method-assign]
    refusals = Refusals(clock, sink, 60.0)
    spec = charger_spec("CP1", connectors)
    around = Surroundings(
        CentralSystemSettings(),
        clock,
        sink,
        MemoryLedger(),
        ListedChargers({spec.id: spec}),
        refusals,
        MemoryUpkeep(),
        {},
    )
    return Charger(spec, around, ChargerMemory()), sink


FIELDS = st.sampled_from(
    [
        *("connectorId", "status", "errorCode", "timestamp", "idTag"),
        *("meterStart", "meterStop", "transactionId", "reason", "meterValue"),
        *("sampledValue", "value", "chargePointVendor", "chargePointModel", "vendorId"),
        *("csr", "type", "messageId", "data", "requestId", "reservationId"),
    ]
)


@given(st.sampled_from(sorted(INCOMING)), st.dictionaries(FIELDS, JSON | st.integers(-1, 3), max_size=6))
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_no_payload_makes_a_handler_raise_or_answer_outside_its_schema(action: str, payload: dict[str, Any]) -> None:
    charger, sink = served()
    route = INCOMING[action].by
    if isinstance(route, Inline):
        answer = route.handle(charger, payload, instant(5.0))
    else:
        answer = asyncio.run(_result(route.handle(charger, payload, instant(5.0)))).answer
    check_result(action, json.loads(json.dumps(answer)))
    assert all(isinstance(event, object) for event in sink.events)


async def _result(awaitable: Any) -> Any:
    return await awaitable
