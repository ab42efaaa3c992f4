"""What an operator asks of a charger is answered as the charger said it, and remembered where a restart matters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from connectors.ocpp.local_lists import LocalLists
from connectors.ocpp.operations import Operations, Outcome, settings_in
from connectors.ocpp.reservations import Reservations
from connectors.ocpp.upkeep import MemoryUpkeep
from tests.connectors.ocpp.peer import SILENT, Depot, Peer, depot, peer, until
from tests.fakes import EPOCH, LoopClock
from twin_core.errors import ProtocolError, StorageError
from twin_core.models import events as e
from twin_core.models.authorisation import ListedTag, ReservationState, TagStanding, TagStatus
from twin_core.models.events import CertificateRequested, LocalListWritten, ReservationChanged
from twin_core.models.ids import ChargerId, IdTag

CP1 = ChargerId("CP1")
LATER = EPOCH + timedelta(hours=2)


@dataclass
class Desk:
    """An operator's place: a depot with one charger, ready to be asked."""

    depot: Depot
    cp: Peer
    operations: Operations
    lists: LocalLists
    reservations: Reservations
    upkeep: MemoryUpkeep

    def asked(self, action: str) -> list[dict[str, Any]]:
        return [payload for name, payload in self.cp.asked if name == action]

    def states(self) -> list[ReservationState]:
        return [event.state for event in self.depot.sink.of(e.ReservationChanged)]


@asynccontextmanager
async def desk(upkeep: MemoryUpkeep | None = None, **answers: Any) -> AsyncIterator[Desk]:
    kept, clock = upkeep or MemoryUpkeep(), LoopClock()
    async with depot(upkeep=kept) as d, peer(d.system.port, answers=answers) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        cp.asked.clear()
        numbers = count(501)
        operations = Operations(d.system, lambda: next(numbers))
        lists = LocalLists(operations, kept, d.sink, clock)
        reservations = Reservations(d.system, operations, kept, d.sink, clock, lambda: next(numbers))
        yield Desk(d, cp, operations, lists, reservations, kept)


@pytest.mark.parametrize(
    ("reply", "outcome", "said"),
    [
        ({"status": "Unlocked"}, Outcome.DONE, "Unlocked"),
        ({"status": "UnlockFailed"}, Outcome.REFUSED, "UnlockFailed"),
        ({"status": "Ja wohl"}, Outcome.REFUSED, "Ja wohl"),
        ({}, Outcome.ERROR, "an answer without a status"),
        ([4, "NotSupported", "no lock", {}], Outcome.REFUSED, "NotSupported no lock"),
        ([4, "InternalError", "oh", {}], Outcome.ERROR, "InternalError oh"),
        (SILENT, Outcome.SILENT, ""),
    ],
)
async def test_an_answer_is_told_as_the_charger_said_it(reply: Any, outcome: Outcome, said: str) -> None:
    async with desk(UnlockConnector=reply) as o:
        answer = await o.operations.unlock(CP1, 1)
        assert (answer.action, answer.outcome, answer.said) == ("UnlockConnector", outcome, said)
        assert o.asked("UnlockConnector") == [{"connectorId": 1}]


async def test_an_answer_that_breaks_its_schema_is_used_and_counted() -> None:
    async with desk(Reset={"status": "Accepted", "mood": "fine"}) as o:
        assert (await o.operations.reset(CP1)).outcome is Outcome.DONE
        assert o.depot.system.counters["CP1"].flawed == {"ResetResponse": 1}


async def test_a_charger_that_is_not_there_is_offline_at_once() -> None:
    async with desk() as o:
        assert (await o.operations.reset(ChargerId("CP9"))).outcome is Outcome.OFFLINE


async def test_a_slow_lock_gets_the_time_of_a_lock_and_a_head_gets_no_more_than_any() -> None:
    async with desk(UnlockConnector=SILENT, Reset=SILENT) as o:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await o.operations.unlock(CP1, 1)
        assert loop.time() - began == pytest.approx(30.0, abs=1)
        began = loop.time()
        await o.operations.reset(CP1)
        assert loop.time() - began == pytest.approx(10.0, abs=1)


async def test_nothing_is_asked_before_the_charger_s_boot_was_answered() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        asking = asyncio.create_task(Operations(d.system, lambda: 1).reset(CP1))
        await asyncio.sleep(1)
        assert cp.asked == []
        await cp.boot()
        assert (await asking).outcome is Outcome.DONE


async def test_an_operation_that_waits_for_a_boot_ends_with_the_link() -> None:
    async with depot() as d:
        async with peer(d.system.port):
            asking = asyncio.create_task(Operations(d.system, lambda: 1).reset(CP1))
            await asyncio.sleep(1)
        assert (await asking).outcome is Outcome.OFFLINE


async def test_configuration_comes_back_by_name_and_is_written_by_name() -> None:
    reply = {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": 60}]}
    async with desk(GetConfiguration=reply, ChangeConfiguration={"status": "RebootRequired"}) as o:
        assert settings_in(await o.operations.read_configuration(CP1)) == {"heartbeatinterval": "60"}
        answer = await o.operations.write_configuration(CP1, "HeartbeatInterval", "30")
        assert (answer.outcome, answer.said) == (Outcome.DONE, "RebootRequired")
        assert o.asked("ChangeConfiguration")[-1] == {"key": "HeartbeatInterval", "value": "30"}


async def test_what_only_the_extension_can_trigger_is_asked_by_the_extension() -> None:
    async with desk() as o:
        await o.operations.trigger(CP1, "MeterValues", 1)
        await o.operations.trigger(CP1, "SignChargePointCertificate")
        assert o.asked("TriggerMessage") == [{"requestedMessage": "MeterValues", "connectorId": 1}]
        assert o.asked("ExtendedTriggerMessage") == [{"requestedMessage": "SignChargePointCertificate"}]


async def test_an_update_without_a_status_in_its_answer_is_done_and_a_signed_one_has_a_number() -> None:
    async with desk(UpdateFirmware={}) as o:
        assert (await o.operations.update_firmware(CP1, "https://h/f.bin", LATER)).outcome is Outcome.DONE
        signed = await o.operations.update_signed_firmware(
            CP1, "https://h/f.bin", LATER, certificate="c", signature="s"
        )
        assert signed.number == o.asked("SignedUpdateFirmware")[0]["requestId"] == 501


# --- local lists


def listed(*tags: str, status: TagStatus = TagStatus.ACCEPTED) -> list[ListedTag]:
    return [ListedTag(IdTag(tag), TagStanding(status)) for tag in tags]


class ListKeeper:
    """A charger's end of SendLocalList, by the standard."""

    def __init__(self, version: int = 0, max_length: int | None = None) -> None:
        self.version = version
        self.tags: dict[str, str] = {}
        self.max_length = max_length
        self.kinds: list[str] = []
        self.refuse_changes = False

    def answers(self) -> dict[str, Any]:
        keys = [{"key": "SendLocalListMaxLength", "readonly": True, "value": str(self.max_length)}]
        return {
            "GetLocalListVersion": lambda _: {"listVersion": self.version},
            "SendLocalList": self.take,
            "GetConfiguration": {"configurationKey": keys if self.max_length else []},
        }

    def take(self, payload: dict[str, Any]) -> dict[str, Any]:
        entries, kind = payload["localAuthorizationList"], payload["updateType"]
        self.kinds.append(kind)
        assert self.max_length is None or len(entries) <= self.max_length
        if kind == "Differential" and (self.refuse_changes or payload["listVersion"] <= self.version):
            return {"status": "VersionMismatch" if not self.refuse_changes else "Failed"}
        if kind == "Full":
            self.tags.clear()
        for entry in entries:
            if "idTagInfo" in entry:
                self.tags[entry["idTag"]] = entry["idTagInfo"]["status"]
            else:
                self.tags.pop(entry["idTag"], None)
        self.version = payload["listVersion"]
        return {"status": "Accepted"}


async def test_a_list_is_sent_whole_once_then_only_its_changes_then_nothing() -> None:
    keeper = ListKeeper()
    async with desk(**keeper.answers()) as o:
        first = await o.lists.write(CP1, listed("A", "B"))
        assert (first.outcome, first.number) == (Outcome.DONE, 1)
        await o.lists.write(CP1, [*listed("A"), *listed("C", status=TagStatus.BLOCKED)])
        assert keeper.tags == {"A": "Accepted", "C": "Blocked"}
        assert [entry["idTag"] for p in o.asked("SendLocalList")[1:] for entry in p["localAuthorizationList"]] == [
            "B",
            "C",
        ]
        sent = len(keeper.kinds)
        again = await o.lists.write(CP1, [*listed("C", status=TagStatus.BLOCKED), *listed("A")])
        assert (again.said, again.number, len(keeper.kinds)) == ("up to date", keeper.version, sent)
        assert [event.version for event in o.depot.sink.of(e.LocalListWritten)] == [1, 3]


@pytest.mark.parametrize("other", [0, 7, 900])
async def test_a_charger_with_another_version_than_was_written_gets_the_whole_list(other: int) -> None:
    keeper = ListKeeper()
    async with desk(**keeper.answers()) as o:
        await o.lists.write(CP1, listed("A", "B"))
        keeper.version, keeper.tags = other, {"FOREIGN": "Accepted"}
        answer = await o.lists.write(CP1, listed("A", "B"))
        assert keeper.kinds[-1] == "Full"
        assert keeper.tags == {"A": "Accepted", "B": "Accepted"}
        assert answer.number == keeper.version > max(1, other)


async def test_a_charger_that_takes_no_changes_gets_the_whole_list() -> None:
    keeper = ListKeeper()
    async with desk(**keeper.answers()) as o:
        await o.lists.write(CP1, listed("A"))
        keeper.refuse_changes = True
        assert (await o.lists.write(CP1, listed("A", "B"))).outcome is Outcome.DONE
        assert keeper.kinds == ["Full", "Differential", "Full"]
        assert set(keeper.tags) == {"A", "B"}


async def test_a_long_list_goes_in_parts_that_the_charger_can_take() -> None:
    keeper = ListKeeper(max_length=3)
    async with desk(**keeper.answers()) as o:
        tags = [f"T{n}" for n in range(10)]
        await o.lists.write(CP1, listed(*tags))
        assert sorted(keeper.tags) == tags
        assert keeper.kinds == ["Full", "Differential", "Differential", "Differential"]
        await o.lists.write(CP1, listed("T9"))
        assert sorted(keeper.tags) == ["T9"]


async def test_a_list_half_sent_is_not_taken_for_whole() -> None:
    keeper = ListKeeper(max_length=2)
    async with desk(**keeper.answers()) as o:
        keeper.refuse_changes = True
        assert (await o.lists.write(CP1, listed("A", "B", "C"))).outcome is Outcome.REFUSED
        assert o.upkeep.lists == {}
        keeper.refuse_changes = False
        await o.lists.write(CP1, listed("A", "B", "C"))
        assert set(keeper.tags) == {"A", "B", "C"}


async def test_a_charger_without_local_lists_says_so_and_is_sent_none() -> None:
    async with desk(GetLocalListVersion={"listVersion": -1}) as o:
        answer = await o.lists.write(CP1, listed("A"))
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "no local list is supported")
        assert o.asked("SendLocalList") == []


# --- reservations


async def test_a_reservation_is_written_down_before_it_is_asked_for() -> None:
    order: list[str] = []

    class Noting(MemoryUpkeep):
        async def keep(self, fact: LocalListWritten | ReservationChanged | CertificateRequested) -> None:
            order.append(fact.state if isinstance(fact, ReservationChanged) else "")
            await super().keep(fact)

    def accept(_: dict[str, Any]) -> dict[str, Any]:
        order.append("on the wire")
        return {"status": "Accepted"}

    async with desk(Noting(), ReserveNow=accept) as o:
        answer = await o.reservations.reserve(CP1, 1, "EV-1", LATER)
        assert order == ["asked", "on the wire", "accepted"]
        assert answer.number == o.asked("ReserveNow")[0]["reservationId"]
        assert [kept.id_tag for kept in await o.reservations.open(CP1)] == ["EV-1"]


@pytest.mark.parametrize(
    ("reply", "states", "is_open"),
    [
        ({"status": "Occupied"}, ["asked", "refused"], False),
        ([4, "NotSupported", "", {}], ["asked", "refused"], False),
        (SILENT, ["asked"], True),
        ([4, "InternalError", "", {}], ["asked"], True),
    ],
)
async def test_a_reservation_that_got_no_clear_answer_may_be_held(reply: Any, states: list[str], is_open: bool) -> None:
    async with desk(ReserveNow=reply) as o:
        await o.reservations.reserve(CP1, 1, "EV-1", LATER)
        assert o.states() == states
        assert bool(await o.reservations.open(CP1)) is is_open


@pytest.mark.parametrize("status", ["Accepted", "Rejected"])
async def test_a_cancelled_reservation_is_gone_also_where_the_charger_knew_of_none(status: str) -> None:
    async with desk(CancelReservation={"status": status}) as o:
        number = (await o.reservations.reserve(CP1, 1, "EV-1", LATER)).number
        assert number is not None
        await o.reservations.cancel(CP1, number)
        assert await o.reservations.open(CP1) == ()


async def test_a_reservation_ends_when_its_time_is_over() -> None:
    async with desk() as o:
        await o.reservations.reserve(CP1, 1, "EV-1", EPOCH + timedelta(minutes=10))
        assert len(await o.reservations.open(CP1)) == 1
        await asyncio.sleep(700)
        assert await o.reservations.open(CP1) == ()
        assert o.states()[-1] is ReservationState.EXPIRED


@pytest.mark.parametrize(("named", "left"), [(501, 0), (77, 1)])
async def test_a_transaction_uses_up_the_reservation_it_names_and_no_other(named: int, left: int) -> None:
    async with desk() as o:
        await o.reservations.reserve(CP1, 1, "EV-1", LATER)
        start = {"connectorId": 1, "idTag": "EV-1", "meterStart": 0, "timestamp": "2026-06-01T12:00:00Z"}
        assert (await o.cp.call("StartTransaction", {**start, "reservationId": named}))[0] == 3
        assert len(await o.reservations.open(CP1)) == left
        assert o.depot.refused("CP1", "unknown-reservation") == left


async def test_a_reservation_that_breaks_its_schema_or_finds_nobody_leaves_no_trace() -> None:
    async with desk() as o:
        with pytest.raises(ProtocolError):
            await o.reservations.reserve(CP1, 1, "T" * 21, LATER)
        assert (await o.reservations.reserve(ChargerId("CP9"), 1, "T", LATER)).outcome is Outcome.OFFLINE
        assert o.states() == []
        assert o.upkeep.open == {}


async def test_a_reservation_that_cannot_be_written_down_is_not_asked_for() -> None:
    class Full(MemoryUpkeep):
        async def keep(self, fact: LocalListWritten | ReservationChanged | CertificateRequested) -> None:
            raise StorageError("disk is full")

    async with desk(Full()) as o:
        with pytest.raises(StorageError):
            await o.reservations.reserve(CP1, 1, "EV-1", LATER)
        assert o.asked("ReserveNow") == []


async def test_a_certificate_request_that_cannot_be_kept_gets_no_result_so_that_it_is_sent_again() -> None:
    class Full(MemoryUpkeep):
        async def keep(self, fact: LocalListWritten | ReservationChanged | CertificateRequested) -> None:
            raise StorageError("disk is full")

    async with desk(Full()) as o:
        answer = await o.cp.call("SignCertificate", {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nx"})
        assert answer[2] == "InternalError"
