"""Charging profiles as our central system sets, reads back and clears them, and what vendors say in private.

Nobody sets a profile by hand here: a TxDefaultProfile is the fallback of a connector, a TxProfile a grant. Both are
looked at as they reach the charger.
"""

from __future__ import annotations

from typing import Any

from connectors.ocpp import requests as r
from connectors.ocpp.operations import Outcome
from tests.connectors.ocpp.certification.stage import DRIVER, clock_time, stage
from tests.connectors.ocpp.peer import grant, until
from twin_core.models import events as e
from twin_core.models.grant import GrantOutcome


def profile(purpose: str, number: int, limit: float = 6.0, **more: Any) -> dict[str, Any]:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    return {
        "chargingProfileId": number,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": schedule,
        **more,
    }


async def test_tc_056_default_profile() -> None:
    """Every connector gets a TxDefaultProfile when the charger boots, and it counts once the charger took it."""
    async with stage(boots=False) as s:
        await s.boots()
        written = [
            (payload["connectorId"], payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"])
            for payload in s.asked("SetChargingProfile")
            if payload["csChargingProfiles"]["chargingProfilePurpose"] == "TxDefaultProfile"
            and "duration" not in payload["csChargingProfiles"]["chargingSchedule"]
        ]
        assert [(connector, periods[0]["limit"]) for connector, periods in written] == [(1, 0.0), (2, 0.0)]
        assert [event.connector_id.number for event in s.of(e.FallbackConfirmed)] == [1, 2]


async def test_tc_057_transaction_profile() -> None:
    """A grant during a session is a TxProfile for exactly that transaction, and afterwards none is for it."""
    async with stage() as s:
        transaction = await s.charges()
        s.depot.system.offer(grant(10.0))
        await until(lambda: s.of(e.GrantAnswered))
        (asked,) = s.asked("SetChargingProfile")
        sent = asked["csChargingProfiles"]
        assert (asked["connectorId"], sent["chargingProfilePurpose"], sent["transactionId"]) == (
            1,
            "TxProfile",
            transaction,
        )
        assert sent["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 10.0}]
        await s.stops(transaction)
        s.depot.system.offer(grant(8.0, seq=2))
        await until(lambda: len(s.of(e.GrantAnswered)) == 2)
        assert len(s.asked("SetChargingProfile")) == 1
        outcomes = [event.outcome for event in s.of(e.GrantAnswered)]
        assert outcomes == [GrantOutcome.ACCEPTED, GrantOutcome.UNSENT]


async def test_tc_059_remote_start_with_a_profile() -> None:
    """A remote start takes a TxProfile along, and the session that follows is known."""
    along = profile("TxProfile", 59)
    async with stage() as s:
        assert (await s.ask(r.remote_start(DRIVER, 1, along))).outcome is Outcome.DONE
        assert s.asked("RemoteStartTransaction") == [{"idTag": DRIVER, "connectorId": 1, "chargingProfile": along}]
        transaction = await s.charges()
        assert s.running() == [transaction]


async def test_tc_066_composite_schedule() -> None:
    """The composite schedule of a connector is read in the unit asked for, and comes back as the charger gives it."""
    periods = [{"startPeriod": 0, "limit": 6000.0}]
    schedule = {"chargingRateUnit": "W", "duration": 300, "chargingSchedulePeriod": periods}
    said = {"status": "Accepted", "connectorId": 1, "scheduleStart": clock_time(), "chargingSchedule": schedule}
    async with stage() as s:
        s.cp.answers["GetCompositeSchedule"] = said
        answer = await s.ask(r.get_composite_schedule(1, 300, "W"))
        assert s.asked("GetCompositeSchedule") == [{"connectorId": 1, "duration": 300, "chargingRateUnit": "W"}]
        assert (answer.outcome, answer.payload) == (Outcome.DONE, said)


async def test_tc_067_profiles_cleared() -> None:
    """Profiles are cleared by number, by what they are for, and all at once."""
    async with stage() as s:
        transaction = await s.charges()
        for connector, wanted in (
            (0, profile("ChargePointMaxProfile", 671, 16.0)),
            (1, profile("TxDefaultProfile", 672)),
            (1, profile("TxProfile", 673, transactionId=transaction)),
        ):
            assert (await s.ask(r.set_charging_profile(connector, wanted))).outcome is Outcome.DONE
        by_purpose = r.clear_charging_profile(connector=1, purpose="TxDefaultProfile", stack_level=0)
        for request in (r.clear_charging_profile(profile_id=671), by_purpose, r.clear_charging_profile()):
            assert (await s.ask(request)).outcome is Outcome.DONE
        assert s.asked("ClearChargingProfile") == [
            {"id": 671},
            {"connectorId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0},
            {},
        ]


async def test_tc_064_data_transfer_to_the_central_system() -> None:
    """A private message of a vendor that nobody here knows is answered UnknownVendorId, and counted."""
    async with stage(refused={"unknown-vendor": 1}) as s:
        answer = await s.says("DataTransfer", vendorId="org.example", messageId="Hello", data="there")
        assert answer == {"status": "UnknownVendorId"}
