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

CORPUS: list[tuple[str | bytes, str | None]] = [
    # no message at all: counted, nothing to answer
    ("", NO_ANSWER),
    ("nonsense", NO_ANSWER),
    ("{}", NO_ANSWER),
    ("null", NO_ANSWER),
    ("[]", NO_ANSWER),
    ("[2]", NO_ANSWER),
    ('[2,"t1","Heartbeat",{}', NO_ANSWER),
    ('[2,"t1","Heartbeat",{}]]', NO_ANSWER),
    ("[" * 6000 + "]" * 6000, NO_ANSWER),
    ('[2,"t1","Heartbeat",' + '{"a":' * 6000 + "1" + "}" * 6000 + "]", NO_ANSWER),
    ('[2,"t1","Heartbeat",{"a":1' + "0" * 5000 + "}]", NO_ANSWER),
    ('[2,"t1","Heartbeat",{"a":NaN}]', NO_ANSWER),
    ('[2,"t1","Heartbeat",{"a":Infinity}]', NO_ANSWER),
    ('[2,"t1","Heartbeat",{"a":1e999}]', NO_ANSWER),
    (b'\xff\xfe[2,"t1"]', NO_ANSWER),
    (b"\x00" * 100, NO_ANSWER),
    ('[5,"t1",{}]', NO_ANSWER),
    ('[true,"t1","Heartbeat",{}]', NO_ANSWER),
    ('[2,null,"Heartbeat",{}]', NO_ANSWER),
    ('[2,{"a":1},"Heartbeat",{}]', NO_ANSWER),
    ('[2,"' + "x" * 200 + '","Heartbeat",{}]', NO_ANSWER),
    # answers to nothing
    ('[3,"t1",{}]', NO_ANSWER),
    ('[3,"t1"]', NO_ANSWER),
    ('[3,"t1",[]]', NO_ANSWER),
    ('[4,"t1","GenericError"]', NO_ANSWER),
    ('[4,"t1","GenericError","text",{}]', NO_ANSWER),
    ('[4,"t1"]', NO_ANSWER),
    # calls that cannot be understood
    ('[2,"t1",["Heartbeat"],{}]', "FormationViolation"),
    ('[2,"t1",{"Heartbeat":1},{}]', "FormationViolation"),
    ('[2,"t1",null,{}]', "FormationViolation"),
    ('[2,"t1",7,{}]', "FormationViolation"),
    ('[2,"t1"]', "FormationViolation"),
    ('[2,"t1","Heartbeat",[]]', "FormationViolation"),
    ('[2,"t1","Heartbeat","text"]', "FormationViolation"),
    ('[2,"t1","Dance",{}]', "NotImplemented"),
    ('[2,"t1","heartbeat",{}]', "NotImplemented"),
    ('[2,"t1","__class__",{}]', "NotImplemented"),
    ('[2,"t1","Reset",{"type":"Hard"}]', "NotSupported"),
    ('[2,"t1","UpdateFirmware",{}]', "NotSupported"),
    # calls that are wrong and can be answered all the same
    ('["2","t1","Heartbeat",{}]', "result"),
    ('[2,"t1","Heartbeat"]', "result"),
    ('[2,"t1","Heartbeat",null]', "result"),
    ('[2,"t1","Heartbeat",{},{},{}]', "result"),
    ('[2,"t1","Heartbeat",{"extra":[1,2,{"deep":null}]}]', "result"),
    ('[2,"t1","BootNotification",{}]', "result"),
    ('[2,"t1","BootNotification",{"chargePointVendor":["x"],"chargePointModel":7}]', "result"),
    ('[2,"t1","Authorize",{}]', "result"),
    ('[2,"t1","StatusNotification",{}]', "result"),
    ('[2,"t1","StatusNotification",{"connectorId":1,"status":"Occupied","errorCode":"Error"}]', "result"),
    ('[2,"t1","StatusNotification",{"connectorId":-1,"status":"Available"}]', "result"),
    ('[2,"t1","MeterValues",{}]', "result"),
    ('[2,"t1","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"NaN"}]}]}]', "result"),
    ('[2,"t1","MeterValues",{"connectorId":1,"meterValue":{"timestamp":1}}]', "result"),
    ('[2,"t1","MeterValues",{"connectorId":99,"transactionId":-5,"meterValue":[]}]', "result"),
    ('[2,"t1","StartTransaction",{}]', "result"),
    ('[2,"t1","StartTransaction",{"connectorId":"x","idTag":[],"meterStart":"NaN","timestamp":"?"}]', "result"),
    ('[2,"t1","StopTransaction",{}]', "result"),
    ('[2,"t1","StopTransaction",{"transactionId":"abc","meterStop":null}]', "result"),
    ('[2,"t1","StopTransaction",{"transactionId":1e300}]', "result"),
    ('[2,"t1","DataTransfer",{"vendorId":"\\u0000\\r\\n<script>"}]', "result"),
    ('[2,"t1","SignCertificate",{"csr":"x"}]', "result"),
    ('[2,"t1","SecurityEventNotification",{"type":"x","timestamp":"?"}]', "result"),
    ('[2,"t1","FirmwareStatusNotification",{"status":"?"}]', "result"),
    ('[2,"t1","DiagnosticsStatusNotification",{}]', "result"),
]


@pytest.mark.parametrize(("frame", "answer"), CORPUS, ids=range(len(CORPUS)))
async def test_a_malformed_frame_is_survived(frame: str | bytes, answer: str | None) -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.raw(frame)
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
