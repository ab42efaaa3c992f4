"""Resets, locks, settings, firmware and diagnostics, asked for by an operator of our central system."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from connectors.ocpp.operations import Outcome, settings_in
from connectors.ocpp.requests import Retries
from tests.connectors.ocpp.certification.stage import CP1, LATER, Stage, clock_time, stage
from tests.fakes import EPOCH
from twin_core.models import events as e

ONCE = Retries(times=1, wait_s=1)


async def restart(s: Stage, *, hard: bool) -> None:
    """The charger is reset, calls again and boots; our side sets it up anew."""
    assert (await s.operations.reset(CP1, hard=hard)).outcome is Outcome.DONE
    assert s.asked("Reset") == [{"type": "Hard" if hard else "Soft"}]
    await s.dials()
    assert (await s.boots())["status"] == "Accepted"
    for connector in (0, 1, 2):
        await s.status("Available", connector)
    assert (s.statuses(1), s.statuses(2)) == (["Available"], ["Available"])
    assert len(s.of(e.ChargerBooted)) == 2
    assert s.asked("SetChargingProfile"), "its fallback is written again"


async def test_tc_013_hard_reset() -> None:
    """A hard reset: the charger is asked, comes back, is accepted and set up again."""
    async with stage() as s:
        await restart(s, hard=True)


async def test_tc_014_soft_reset() -> None:
    """A soft reset: the charger is asked, comes back, is accepted and set up again."""
    async with stage() as s:
        await restart(s, hard=False)


async def test_tc_017_1_unlock_without_session() -> None:
    """A connector without a session is unlocked, and the operator learns that it is."""
    async with stage(UnlockConnector={"status": "Unlocked"}) as s:
        answer = await s.operations.unlock(CP1, 1)
        assert (answer.outcome, answer.said) == (Outcome.DONE, "Unlocked")
        assert s.asked("UnlockConnector") == [{"connectorId": 1}]


async def test_tc_017_2_unlock_of_a_fixed_cable() -> None:
    """A charger that has no lock to open says so, and that is no success."""
    async with stage(UnlockConnector={"status": "NotSupported"}) as s:
        answer = await s.operations.unlock(CP1, 1)
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "NotSupported")


async def test_tc_018_1_unlock_during_a_session() -> None:
    """Unlocked during a session: the session's end is taken with that reason."""
    async with stage(UnlockConnector={"status": "Unlocked"}) as s:
        transaction = await s.charges()
        assert (await s.operations.unlock(CP1, 1)).outcome is Outcome.DONE
        await s.status("Finishing")
        await s.stops(transaction, "UnlockCommand")
        await s.status("Available")
        assert ([event.reason for event in s.of(e.TransactionStopped)], s.running()) == (["UnlockCommand"], [])


async def test_tc_030_unlock_fails() -> None:
    """A lock that does not open is told as such."""
    async with stage(UnlockConnector={"status": "UnlockFailed"}) as s:
        answer = await s.operations.unlock(CP1, 1)
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "UnlockFailed")


async def test_tc_031_unlock_of_an_unknown_connector() -> None:
    """A connector that only the charger can know of is asked for as the operator says, and its answer heard."""
    async with stage(UnlockConnector={"status": "NotSupported"}) as s:
        answer = await s.operations.unlock(CP1, 7)
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "NotSupported")
        assert s.asked("UnlockConnector") == [{"connectorId": 7}]


# Settings


async def test_tc_019_1_all_settings_read() -> None:
    """All settings are read by naming none, and each comes back as the charger holds it."""
    held = [
        {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
        {"key": "AuthorizationKey", "readonly": False},
    ]
    async with stage() as s:
        s.cp.answers["GetConfiguration"] = {"configurationKey": held, "unknownKey": []}
        answer = await s.operations.read_configuration(CP1)
        assert s.asked("GetConfiguration") == [{}]
        assert answer.payload["configurationKey"] == held
        assert settings_in(answer) == {"heartbeatinterval": "300", "numberofconnectors": "2"}


async def test_tc_019_2_one_setting_read() -> None:
    """One setting is read by its name, and only that."""
    held = {"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core,SmartCharging"}
    async with stage() as s:
        s.cp.answers["GetConfiguration"] = {"configurationKey": [held]}
        answer = await s.operations.read_configuration(CP1, ["SupportedFeatureProfiles"])
        assert s.asked("GetConfiguration") == [{"key": ["SupportedFeatureProfiles"]}]
        assert settings_in(answer) == {"supportedfeatureprofiles": "Core,SmartCharging"}


async def write(s: Stage, key: str, value: str) -> tuple[Outcome, str]:
    answer = await s.operations.write_configuration(CP1, key, value)
    assert s.asked("ChangeConfiguration") == [{"key": key, "value": value}]
    return answer.outcome, answer.said


async def test_tc_021_setting_changed() -> None:
    """A setting is written as the operator says, and taken."""
    async with stage() as s:
        assert await write(s, "MeterValueSampleInterval", "60") == (Outcome.DONE, "Accepted")


async def test_tc_040_1_setting_unknown() -> None:
    """A setting that the charger does not know is told as such."""
    async with stage(ChangeConfiguration={"status": "NotSupported"}) as s:
        assert await write(s, "Colour", "123") == (Outcome.REFUSED, "NotSupported")


async def test_tc_040_2_setting_of_an_invalid_value() -> None:
    """A value that the charger rejects is told as such."""
    async with stage(ChangeConfiguration={"status": "Rejected"}) as s:
        assert await write(s, "MeterValueSampleInterval", "soon") == (Outcome.REFUSED, "Rejected")


# Firmware and diagnostics


async def update(s: Stage, *states: str) -> None:
    """An update is asked for, and the charger tells how far it comes, restarting once it installed anything."""
    answer = await s.operations.update_firmware(CP1, "https://files.example/fw.bin", LATER, ONCE)
    assert answer.outcome is Outcome.DONE
    asked = {"location": "https://files.example/fw.bin", "retrieveDate": clock_time(3600)}
    assert s.asked("UpdateFirmware") == [{**asked, "retries": 1, "retryInterval": 1}]
    for state in states:
        if state == "Installing":
            await s.status("Unavailable")
            await s.status("Unavailable", 2)
        await s.says("FirmwareStatusNotification", status=state)
        if state == "Installing":
            await s.dials()
            assert (await s.boots())["status"] == "Accepted"
            await s.status("Available")
            await s.status("Available", 2)
    told = [(event.status, event.signed) for event in s.of(e.FirmwareStatusReported)]
    assert told == [(state, False) for state in states]


async def test_tc_044_1_firmware_updated() -> None:
    """Firmware is fetched and installed: every state is told, over the restart in between."""
    async with stage() as s:
        await update(s, "Downloading", "Downloaded", "Installing", "Installed")
        assert s.statuses() == ["Unavailable", "Available"]


async def test_tc_044_2_firmware_download_fails() -> None:
    """Firmware that cannot be fetched is told as such."""
    async with stage() as s:
        await update(s, "Downloading", "DownloadFailed")


async def test_tc_044_3_firmware_installation_fails() -> None:
    """Firmware that cannot be installed is told as such, over the restart in between."""
    async with stage() as s:
        await update(s, "Downloading", "Downloaded", "Installing", "InstallationFailed")


async def upload(s: Stage, last: str) -> None:
    since, until = EPOCH - timedelta(hours=2), EPOCH - timedelta(hours=1)
    answer = await s.operations.upload_diagnostics(
        CP1, "ftp://user:pass@files.example/in", since=since, until=until, retries=ONCE
    )
    assert (answer.outcome, answer.payload) == (Outcome.DONE, {"fileName": "diagnostics.log"})
    asked: dict[str, Any] = {"location": "ftp://user:pass@files.example/in", "retries": 1, "retryInterval": 1}
    span = {"startTime": clock_time(-7200), "stopTime": clock_time(-3600)}
    assert s.asked("GetDiagnostics") == [{**asked, **span}]
    for state in ("Uploading", last):
        await s.says("DiagnosticsStatusNotification", status=state)
    assert [event.status for event in s.of(e.LogStatusReported)] == ["Uploading", last]


async def test_tc_045_1_diagnostics_uploaded() -> None:
    """Diagnostics of a span are asked for, the file's name comes back, and the upload's states are told."""
    async with stage() as s:
        await upload(s, "Uploaded")


async def test_tc_045_2_diagnostics_upload_fails() -> None:
    """An upload that fails is told as such."""
    async with stage() as s:
        await upload(s, "UploadFailed")
