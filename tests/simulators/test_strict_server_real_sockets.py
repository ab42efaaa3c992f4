"""The virtual charge point against a central system built on a protocol library we did not write, in strict mode."""

from __future__ import annotations

import pytest

from simulators.requests import REQUESTS
from tests.peers.judged_charge_point import judged_charge_point
from tests.simulators.charge_point_schemas import SAID_BY_CHARGE_POINTS


@pytest.mark.services
async def test_a_strict_central_system_finds_no_fault_in_anything_the_charge_point_says() -> None:
    seen, drawn = await judged_charge_point()

    assert seen["strict_failures"] == []
    assert seen["bad_messages"] == []
    # The profile for the transaction was obeyed while it was there.
    assert 13.5 in drawn
    heard = seen["heard"]
    assert heard["MeterValues"] > 3
    assert heard["Heartbeat"] >= 1
    assert heard["BootNotification"] == 3
    assert set(heard) == SAID_BY_CHARGE_POINTS | {"DataTransfer"}
    assert heard["StartTransaction"] >= 1
    assert heard["StopTransaction"] >= 1
    assert {action for action, _ in seen["answers"]} - {"drawn"} == set(REQUESTS)
    answers = seen["answers"]
    said = {(action, str(answer.get("status")) if isinstance(answer, dict) else answer) for action, answer in answers}
    assert {
        ("ChangeConfiguration", "Accepted"),
        ("ChangeConfiguration", "Rejected"),
        ("TriggerMessage", "Accepted"),
        ("SetChargingProfile", "Accepted"),
        ("GetCompositeSchedule", "Accepted"),
        ("ClearChargingProfile", "Accepted"),
        ("ClearChargingProfile", "Unknown"),
        ("ReserveNow", "Occupied"),
        ("ReserveNow", "Accepted"),
        ("ReserveNow", "Rejected"),
        ("CancelReservation", "Rejected"),
        ("SendLocalList", "VersionMismatch"),
        ("SendLocalList", "Failed"),
        ("GetLog", "AcceptedCanceled"),
        ("GetInstalledCertificateIds", "NotFound"),
        ("GetInstalledCertificateIds", "Accepted"),
        ("InstallCertificate", "Accepted"),
        ("InstallCertificate", "Rejected"),
        ("DeleteCertificate", "NotFound"),
        ("CertificateSigned", "Rejected"),
        ("CertificateSigned", "Accepted"),
        ("ExtendedTriggerMessage", "Accepted"),
        ("SignedUpdateFirmware", "InvalidCertificate"),
        ("SignedUpdateFirmware", "AcceptedCanceled"),
        ("ChangeAvailability", "Scheduled"),
        ("RemoteStopTransaction", "Accepted"),
        ("UnlockConnector", "Unlocked"),
        ("Reset", "Accepted"),
    } <= said
    assert ("SetChargingProfile", "Rejected") not in said
    composite = next(answer for action, answer in answers if action == "GetCompositeSchedule")
    periods = composite["chargingSchedule"]["chargingSchedulePeriod"]
    assert [period["limit"] for period in periods] == [13.5, 6.0]
