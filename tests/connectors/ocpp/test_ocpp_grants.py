"""Every grant that is offered gets an honest outcome, and the newest is the one that goes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.connectors.ocpp.peer import ACCEPTED, SILENT, Depot, Peer, charger_spec, depot, grant, peer, until
from twin_core.models import events as e
from twin_core.models.charger import ChargerSpec, ProfilePurpose, RateUnit
from twin_core.models.grant import GrantOutcome
from twin_core.models.ids import ChargerId

ACC, REJ, UNSENT = GrantOutcome.ACCEPTED, GrantOutcome.REJECTED, GrantOutcome.UNSENT
REJECTED = {"status": "Rejected"}


@asynccontextmanager
async def charging(
    *specs: ChargerSpec, answers: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[tuple[Depot, Peer]]:
    """A commissioned charger in the middle of a transaction."""
    async with depot(*specs, **options) as d, peer(d.system.port, answers=answers) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        await cp.start()
        cp.asked.clear()
        yield d, cp


def outcomes(d: Depot) -> list[tuple[int, GrantOutcome]]:
    return [(a.seq, a.outcome) for a in d.sink.of(e.GrantAnswered)]


def by_purpose(**answers: Any) -> Any:
    """Answers to SetChargingProfile by purpose: tx, default, maximum; Accepted where not given."""
    names = {"TxProfile": "tx", "TxDefaultProfile": "default", "ChargePointMaxProfile": "maximum"}
    return lambda payload: answers.get(names[payload["csChargingProfiles"]["chargingProfilePurpose"]], ACCEPTED)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (ACCEPTED, ACC),
        (REJECTED, REJ),
        ({"status": "NotSupported"}, REJ),
        ({"status": "Fine"}, GrantOutcome.FAILED),
        ({}, GrantOutcome.FAILED),
        ([3, "Accepted"], GrantOutcome.FAILED),
        ([4, "InternalError", "no", {}], GrantOutcome.FAILED),
        ([4, "NotImplemented"], GrantOutcome.FAILED),
        (SILENT, GrantOutcome.TIMED_OUT),
    ],
)
async def test_what_became_of_a_grant_is_told_as_it_is(answer: Any, outcome: GrantOutcome) -> None:
    async with charging() as (d, cp):
        cp.answers["SetChargingProfile"] = answer
        d.system.offer(grant(10))
        await until(lambda: outcomes(d))
        assert outcomes(d) == [(1, outcome)]
        assert [s.seq for s in d.sink.of(e.GrantSent)] == [1]
        assert d.sink.events.index(d.sink.of(e.GrantSent)[0]) < d.sink.events.index(d.sink.of(e.GrantAnswered)[0])


@pytest.mark.parametrize(
    ("late", "outcome"),
    [([3, ACCEPTED], ACC), ([3, REJECTED], REJ), ([4, "GenericError"], GrantOutcome.FAILED)],
)
async def test_a_late_answer_still_counts(late: list[Any], outcome: GrantOutcome) -> None:
    async with charging() as (d, cp):
        cp.answers["SetChargingProfile"] = SILENT
        d.system.offer(grant(10))
        await until(lambda: outcomes(d) == [(1, GrantOutcome.TIMED_OUT)])
        cp.answers["SetChargingProfile"] = ACCEPTED
        d.system.offer(grant(8, seq=2))
        await until(lambda: len(outcomes(d)) == 2)
        await asyncio.sleep(40)
        await cp.raw([late[0], cp.unanswered[0], *late[1:]])
        await until(lambda: len(outcomes(d)) == 3)
        assert outcomes(d) == [(1, GrantOutcome.TIMED_OUT), (2, ACC), (1, outcome)]
        await cp.raw([late[0], cp.unanswered[0], *late[1:]])
        await cp.call("Heartbeat")
        assert len(outcomes(d)) == 3
        assert d.refused("CP1", "unsolicited-answer") == 1


async def test_while_the_line_is_busy_only_the_newest_grant_waits() -> None:
    async with charging() as (d, cp):
        cp.answers["SetChargingProfile"] = SILENT
        d.system.offer(grant(10, seq=1))
        await until(lambda: cp.unanswered)
        cp.answers["SetChargingProfile"] = ACCEPTED
        for seq in range(2, 100):
            d.system.offer(grant(6 + seq / 10, seq=seq))
        await cp.raw([3, cp.unanswered[0], ACCEPTED])
        await until(lambda: len(outcomes(d)) == 99)
        assert outcomes(d) == [*((seq, UNSENT) for seq in range(2, 99)), (1, ACC), (99, ACC)]
        assert len(cp.profiles()) == 2


async def test_connectors_take_turns_on_the_one_line() -> None:
    async with charging(charger_spec("CP1", 2)) as (d, cp):
        await cp.start(2)
        for seq in (1, 2):
            for connector in (1, 2):
                d.system.offer(grant(10, seq=seq, connector=connector))
            await asyncio.sleep(0.1)
        assert [a for _, a in outcomes(d)] == [ACC] * 4
        assert [p["connectorId"] for _, p in cp.asked] == [1, 2, 1, 2]


@pytest.mark.parametrize("name", ["CP1", "NOBODY"])
async def test_without_a_link_a_grant_is_unsent(name: str) -> None:
    async with depot() as d:
        d.system.offer(grant(10, name=name))
        assert outcomes(d) == [(1, UNSENT)]
        assert d.sink.of(e.GrantSent) == []


async def test_when_the_link_breaks_what_left_is_uncertain_and_what_waits_never_leaves() -> None:
    async with charging() as (d, cp):
        cp.answers["SetChargingProfile"] = SILENT
        d.system.offer(grant(10, seq=1))
        await until(lambda: cp.unanswered)
        d.system.offer(grant(9, seq=2))
        cp.link.transport.abort()
        await until(lambda: d.sink.of(e.ChargerDisconnected))
        assert outcomes(d) == [(1, GrantOutcome.OFFLINE), (2, UNSENT)]


async def test_a_grant_whose_lease_is_over_is_not_sent() -> None:
    async with charging() as (d, cp):
        old = grant(10, lease_s=5)
        await asyncio.sleep(5)
        d.system.offer(old)
        await until(lambda: outcomes(d))
        assert outcomes(d) == [(1, UNSENT)]
        assert cp.asked == []


async def test_a_tx_profile_needs_a_transaction() -> None:
    async with charging() as (d, cp):
        stop = {"transactionId": 1001, "meterStop": 1, "timestamp": "2026-06-01T13:00:00Z"}
        await cp.call("StopTransaction", stop)
        d.system.offer(grant(10))
        await until(lambda: outcomes(d))
        assert outcomes(d) == [(1, UNSENT)]
        assert cp.asked == []


async def test_grants_wait_for_the_boot_order() -> None:
    async with depot() as d, peer(d.system.port, answers={"GetConfiguration": SILENT}) as cp:
        await cp.boot()
        await cp.start()
        d.system.offer(grant(10, seq=1))
        await asyncio.sleep(5)
        assert all(p["chargingProfilePurpose"] == "TxDefaultProfile" for p in cp.profiles())
        await until(lambda: outcomes(d))
        assert outcomes(d) == [(1, ACC)]


async def test_a_grant_between_two_steps_of_a_later_boot_order_waits_for_its_end() -> None:
    async with charging() as (d, cp):
        cp.answers["GetCompositeSchedule"] = cp.answers["GetConfiguration"] = SILENT
        await cp.boot()
        await until(lambda: cp.unanswered)
        d.system.offer(grant(10))
        await until(lambda: outcomes(d))
        assert outcomes(d) == [(1, ACC)]
        assert [a for a, _ in cp.asked][-2:] == ["GetConfiguration", "SetChargingProfile"]


async def test_a_charger_that_takes_no_tx_profile_gets_its_grants_as_default_and_that_is_remembered() -> None:
    answers = {"SetChargingProfile": by_purpose(tx=REJECTED)}
    async with charging(answers=answers) as (d, cp):
        for seq in (1, 2, 3):
            d.system.offer(grant(10, seq=seq))
            await until(lambda: len(outcomes(d)) == seq)  # noqa: B023
        assert [o for _, o in outcomes(d)] == [ACC] * 3
        tried = [(p["chargingProfilePurpose"], p["stackLevel"]) for p in cp.profiles()]
        assert tried == [("TxProfile", 1), ("TxDefaultProfile", 1)] * 2 + [("TxDefaultProfile", 1)]
        learned = d.sink.of(e.ChargerCommissioned)[-1].abilities
        assert learned.purposes[0] is ProfilePurpose.TX_DEFAULT
        # It outlives the link.
        cp.link.transport.abort()
        await until(lambda: d.sink.of(e.ChargerDisconnected))
        async with peer(d.system.port, answers=answers) as again:
            await again.boot()
            await until(lambda: len(d.sink.of(e.ChargerCommissioned)) == 3)
            again.asked.clear()
            d.system.offer(grant(10, seq=4))
            await until(lambda: len(outcomes(d)) == 4)
            assert {p["chargingProfilePurpose"] for p in again.profiles()} == {"TxDefaultProfile"}


async def test_one_rejection_by_chance_teaches_nothing() -> None:
    async with charging() as (d, cp):
        cp.answers["SetChargingProfile"] = by_purpose(tx=REJECTED)
        d.system.offer(grant(10.5, seq=1))
        await until(lambda: outcomes(d))
        cp.answers["SetChargingProfile"] = ACCEPTED
        d.system.offer(grant(10.5, seq=2))
        await until(lambda: len(outcomes(d)) == 2)
        assert len(d.sink.of(e.ChargerCommissioned)) == 1
        last = cp.profiles()[-1]
        assert last["chargingProfilePurpose"] == "TxProfile"
        assert last["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 10.5


async def test_no_profile_for_a_transaction_overtakes_its_id() -> None:
    async with depot() as d, peer(d.system.port) as cp:
        await cp.boot()
        await until(lambda: d.sink.of(e.ChargerCommissioned))
        cp.heard.clear()
        put = d.sink.put

        def grant_at_once(event: Any) -> None:
            put(event)
            if isinstance(event, e.TransactionStarted):
                d.system.offer(grant(10))

        d.sink.put = grant_at_once  # type: ignore[method-assign]
        await cp.start()
        await until(lambda: outcomes(d))
        assert cp.heard == ["answer", "SetChargingProfile"]


async def test_where_a_tx_profile_may_hold_a_default_that_it_outranks_is_no_way_down() -> None:
    async with charging() as (d, cp):
        d.system.offer(grant(16, seq=1))
        await until(lambda: outcomes(d))
        cp.answers["SetChargingProfile"] = by_purpose(tx=REJECTED)
        d.system.offer(grant(6, seq=2))
        await until(lambda: len(outcomes(d)) == 2)
        assert outcomes(d)[-1] == (2, REJ)
        assert {p["chargingProfilePurpose"] for p in cp.profiles()} == {"TxProfile"}


async def test_a_charger_that_refuses_decimals_gets_whole_amperes_rounded_down() -> None:
    def whole(payload: dict[str, Any]) -> Any:
        limit = payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]
        return ACCEPTED if float(limit).is_integer() else REJECTED

    async with charging(answers={"SetChargingProfile": whole}) as (d, cp):
        for seq, limit_a in enumerate((10.7, 12.3, 9.9), start=1):
            d.system.offer(grant(limit_a, seq=seq))
            await until(lambda: len(outcomes(d)) == seq)  # noqa: B023
        assert [o for _, o in outcomes(d)] == [ACC] * 3
        assert d.sink.of(e.ChargerCommissioned)[-1].abilities.step_a == 1.0
        limits = [p["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] for p in cp.profiles()]
        assert limits == [10.7, 10.0, 12.3, 12.0, 9.0]


async def test_watts_are_divided_by_the_phases_seen_and_by_one_until_then() -> None:
    units = {"configurationKey": [{"key": "ChargingScheduleAllowedChargingRateUnit", "value": "Power"}]}
    async with charging(answers={"GetConfiguration": units}) as (d, cp):
        assert d.sink.of(e.ChargerCommissioned)[-1].abilities.unit is RateUnit.WATT
        d.system.offer(grant(16, seq=1))
        await until(lambda: outcomes(d))
        samples = [{"measurand": "Current.Import", "value": "4.8", "unit": "A", "phase": p} for p in ("L1", "L2", "L3")]
        group = [{"timestamp": "2026-06-01T12:00:00Z", "sampledValue": samples}]
        await cp.call("MeterValues", {"connectorId": 1, "transactionId": 1001, "meterValue": group})
        d.system.offer(grant(16, seq=2))
        await until(lambda: len(outcomes(d)) == 2)
        told = [p["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] for p in cp.profiles()]
        assert told == [3312.0, 9936.0]
        await cp.call("StopTransaction", {"transactionId": 1001, "meterStop": 1, "timestamp": "2026-06-01T13:00:00Z"})
        await cp.start(at="2026-06-01T13:30:00Z")  # another vehicle, of which nothing is known
        d.system.offer(grant(16, seq=3))
        await until(lambda: len(outcomes(d)) == 3)
        assert cp.profiles()[-1]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 3312.0
        assert {p["chargingSchedule"]["chargingRateUnit"] for p in cp.profiles()} == {"W"}


async def test_a_charger_answers_after_it_has_sent_its_own_call() -> None:
    async with charging() as (d, cp):
        cp.answers["RemoteStopTransaction"] = SILENT
        call = {"transactionId": 1001}
        asked = asyncio.create_task(d.system.call(ChargerId("CP1"), "RemoteStopTransaction", call))
        await until(lambda: cp.unanswered)
        stop = {"transactionId": 1001, "meterStop": 1, "timestamp": "2026-06-01T13:00:00Z"}
        assert (await cp.call("StopTransaction", stop))[0] == 3
        await cp.raw([3, cp.unanswered[0], ACCEPTED])
        assert getattr(await asked, "payload", None) == ACCEPTED


async def test_a_grant_that_ends_is_not_sent_to_a_charger_whose_profiles_do_not() -> None:
    def endless(payload: dict[str, Any]) -> Any:
        return REJECTED if "duration" in payload["csChargingProfiles"]["chargingSchedule"] else ACCEPTED

    async with charging(answers={"SetChargingProfile": endless}) as (d, cp):
        assert not d.sink.of(e.ChargerCommissioned)[-1].abilities.leases
        d.system.offer(grant(10, seq=1))
        await until(lambda: outcomes(d))
        d.system.offer(grant(10, seq=2, lease_s=float("inf")))
        await until(lambda: len(outcomes(d)) == 2)
        assert outcomes(d) == [(1, UNSENT), (2, ACC)]
        assert "duration" not in cp.profiles()[-1]["chargingSchedule"]
