"""Resets, locks, settings, lists, firmware and triggers, as our virtual charge point answers them."""

from __future__ import annotations

from typing import Any

from tests.connectors.ocpp.certification.point_stage import ACCEPTED, REJECTED, PointStage, point_stage
from tests.simulators.fake_central import settle

FIRMWARE: dict[str, Any] = {
    "location": "ftp://files.example/fw-2.bin",
    "retrieveDate": "2026-06-01T12:01:00Z",
    "retries": 0,
    "retryInterval": 1,
}
DIAGNOSTICS: dict[str, Any] = {
    "location": "ftp://user:pass@files.example/in",
    "startTime": "2026-06-01T10:00:00Z",
    "stopTime": "2026-06-01T11:00:00Z",
    "retries": 0,
}


async def reset(kind: str) -> None:
    async with point_stage() as s:
        before = len(s.central.heard)
        assert await s.ask("Reset", type=kind) == ACCEPTED
        await settle(60)
        assert s.point.links == 2
        heard = [h.action for h in s.central.heard[before:]]
        assert heard == ["BootNotification"] + ["StatusNotification"] * 3


async def test_tc_013_hard_reset() -> None:
    """A hard reset: it goes, comes back on a new link, boots and reports every connector."""
    await reset("Hard")


async def test_tc_014_soft_reset() -> None:
    """A soft reset: it goes, comes back on a new link, boots and reports every connector."""
    await reset("Soft")


async def test_tc_017_1_unlock_without_session() -> None:
    """A connector without a session is unlocked."""
    async with point_stage() as s:
        assert await s.ask("UnlockConnector", connectorId=1) == {"status": "Unlocked"}
        await settle()
        assert s.statuses() == ["Available"]


async def test_tc_031_unlock_of_an_unknown_connector() -> None:
    """A connector that it has not cannot be unlocked."""
    async with point_stage() as s:
        assert await s.ask("UnlockConnector", connectorId=7) == {"status": "NotSupported"}


CORE_KEYS = {
    "AuthorizeRemoteTxRequests",
    "ClockAlignedDataInterval",
    "ConnectionTimeOut",
    "ConnectorPhaseRotation",
    "GetConfigurationMaxKeys",
    "HeartbeatInterval",
    "LocalAuthorizeOffline",
    "LocalPreAuthorize",
    "MeterValuesAlignedData",
    "MeterValuesSampledData",
    "MeterValueSampleInterval",
    "NumberOfConnectors",
    "ResetRetries",
    "StopTransactionOnEVSideDisconnect",
    "StopTransactionOnInvalidId",
    "StopTxnAlignedData",
    "StopTxnSampledData",
    "SupportedFeatureProfiles",
    "TransactionMessageAttempts",
    "TransactionMessageRetryInterval",
    "UnlockConnectorOnEVSideDisconnect",
}
"""Keys that OCPP 1.6 §9.1 requires of every charge point."""


async def test_tc_019_1_all_settings_read() -> None:
    """Asked for all settings, it names every key that the standard requires, and may be written where it says so."""
    async with point_stage() as s:
        answer = await s.ask("GetConfiguration")
        held = {entry["key"]: entry for entry in answer["configurationKey"]}
        assert set(held) >= CORE_KEYS
        assert held["NumberOfConnectors"] == {"key": "NumberOfConnectors", "readonly": True, "value": "2"}
        assert not held["HeartbeatInterval"]["readonly"]


async def test_tc_019_2_one_setting_read() -> None:
    """Asked for one setting, it names that and no other."""
    async with point_stage() as s:
        answer = await s.ask("GetConfiguration", key=["SupportedFeatureProfiles"])
        assert [entry["key"] for entry in answer["configurationKey"]] == ["SupportedFeatureProfiles"]


async def test_tc_021_setting_changed() -> None:
    """A setting that was changed is held, and gone by."""
    async with point_stage() as s:
        await s.set(MeterValueSampleInterval="60")
        (entry,) = (await s.ask("GetConfiguration", key=["MeterValueSampleInterval"]))["configurationKey"]
        await s.arrives()
        await settle(120)
        assert (entry["value"], len(s.said("MeterValues"))) == ("60", 2)


async def test_tc_040_1_setting_unknown() -> None:
    """A setting that it does not know is NotSupported."""
    async with point_stage() as s:
        assert await s.ask("ChangeConfiguration", key="Colour", value="123") == {"status": "NotSupported"}


async def test_tc_040_2_setting_of_an_invalid_value() -> None:
    """A value that a setting cannot have is Rejected, and the old one stays."""
    async with point_stage() as s:
        assert await s.ask("ChangeConfiguration", key="MeterValueSampleInterval", value="soon") == REJECTED
        (entry,) = (await s.ask("GetConfiguration", key=["MeterValueSampleInterval"]))["configurationKey"]
        assert entry["value"] == "10"


# The local list


def entries(*tags: str) -> list[dict[str, Any]]:
    return [{"idTag": tag, "idTagInfo": {"status": "Accepted"}} for tag in tags]


async def send(s: PointStage, version: int, kind: str, *tags: str) -> str:
    listed = entries(*tags)
    answer = await s.ask("SendLocalList", listVersion=version, updateType=kind, localAuthorizationList=listed)
    return str(answer["status"])


async def version(s: PointStage) -> int:
    return int((await s.ask("GetLocalListVersion"))["listVersion"])


async def test_tc_042_1_list_version_not_supported() -> None:
    """With lists switched off, its version is -1."""
    async with point_stage() as s:
        await s.set(LocalAuthListEnabled="false")
        assert await version(s) == -1


async def test_tc_042_2_list_version_empty() -> None:
    """With an empty list, its version is 0."""
    async with point_stage() as s:
        assert await version(s) == 0


async def test_tc_043_1_list_not_supported() -> None:
    """With lists switched off, it takes none."""
    async with point_stage() as s:
        await s.set(LocalAuthListEnabled="false")
        assert await send(s, 1, "Full", "A") == "NotSupported"


async def test_tc_043_3_list_failed() -> None:
    """A list that holds a tag twice fails, and the old one stays."""
    async with point_stage() as s:
        await send(s, 1, "Full", "A")
        assert await send(s, 2, "Full", "B", "B") == "Failed"
        assert await version(s) == 1


async def test_tc_043_4_full_list() -> None:
    """A full list takes the place of what was there, under its version, and is gone by."""
    async with point_stage() as s:
        assert await send(s, 1, "Full", "A") == "Accepted"
        assert (await send(s, 2, "Full", "B"), await version(s)) == ("Accepted", 2)
        await s.set(AllowOfflineTxForUnknownId="false")
        await s.goes_offline()
        assert [await s.arrives("A"), await s.arrives("B", 2)] == [False, True]
        await s.comes_back()


async def test_tc_043_5_differential_list() -> None:
    """A differential list adds to what was there, under a higher version only."""
    async with point_stage() as s:
        await send(s, 1, "Full", "A")
        assert await send(s, 1, "Differential", "B") == "VersionMismatch"
        assert (await send(s, 2, "Differential", "B"), await version(s)) == ("Accepted", 2)
        await s.set(AllowOfflineTxForUnknownId="false")
        await s.goes_offline()
        assert [await s.arrives("A"), await s.arrives("B", 2)] == [True, True]
        await s.comes_back()


# Firmware and diagnostics


async def test_tc_044_1_firmware_updated() -> None:
    """Firmware is fetched when due, installed with all connectors out of service, and counts after a restart."""
    async with point_stage() as s:
        assert await s.ask("UpdateFirmware", **FIRMWARE) == {}
        await settle(300)
        told = s.told("FirmwareStatusNotification")
        assert told == ["Downloading", "Downloaded", "Installing", "Installed"]
        assert [p["firmwareVersion"] for p in s.said("BootNotification")] == ["1.0", "fw-2"]
        assert (s.statuses(1), s.statuses(2)) == (["Available", "Unavailable", "Available"],) * 2


async def test_tc_044_2_firmware_download_fails() -> None:
    """Firmware that cannot be fetched is told as such, and nothing changes."""
    async with point_stage() as s:
        s.point.controller.firmware.fails = "download"
        await s.ask("UpdateFirmware", **FIRMWARE)
        await settle(300)
        assert s.told("FirmwareStatusNotification") == ["Downloading", "DownloadFailed"]
        assert len(s.said("BootNotification")) == 1


async def test_tc_044_3_firmware_installation_fails() -> None:
    """Firmware that cannot be installed is told as such, and its connectors are in service again."""
    async with point_stage() as s:
        s.point.controller.firmware.fails = "install"
        await s.ask("UpdateFirmware", **FIRMWARE)
        await settle(300)
        told = s.told("FirmwareStatusNotification")
        assert told == ["Downloading", "Downloaded", "Installing", "InstallationFailed"]
        assert (s.statuses(1), s.statuses(2)) == (["Available", "Unavailable", "Available"],) * 2


async def test_tc_045_1_diagnostics_uploaded() -> None:
    """Diagnostics are uploaded: it names the file and tells how far it came."""
    async with point_stage() as s:
        assert (await s.ask("GetDiagnostics", **DIAGNOSTICS))["fileName"]
        await settle(60)
        assert s.told("DiagnosticsStatusNotification") == ["Uploading", "Uploaded"]


async def test_tc_045_2_diagnostics_upload_fails() -> None:
    """An upload that fails is told as such."""
    async with point_stage() as s:
        s.point.controller.diagnostics.fails = True
        await s.ask("GetDiagnostics", **DIAGNOSTICS)
        await settle(60)
        assert s.told("DiagnosticsStatusNotification") == ["Uploading", "UploadFailed"]


# Triggers


async def test_tc_054_messages_triggered() -> None:
    """Every message that can be triggered is accepted first and said once after it."""
    async with point_stage() as s:
        for message in (
            "MeterValues",
            "Heartbeat",
            "StatusNotification",
            "DiagnosticsStatusNotification",
            "FirmwareStatusNotification",
        ):
            before = len(s.said(message))
            connector = {"connectorId": 1} if message in ("MeterValues", "StatusNotification") else {}
            assert await s.ask("TriggerMessage", requestedMessage=message, **connector) == ACCEPTED
            await settle()
            assert len(s.said(message)) == before + 1
        assert s.said("MeterValues")[0]["meterValue"][0]["sampledValue"][0]["context"] == "Trigger"
        assert s.told("FirmwareStatusNotification") == s.told("DiagnosticsStatusNotification") == ["Idle"]


async def test_tc_055_trigger_rejected() -> None:
    """A message of a connector that it has not cannot be triggered."""
    async with point_stage() as s:
        assert await s.ask("TriggerMessage", requestedMessage="MeterValues", connectorId=7) == REJECTED
        await settle()
        assert s.said("MeterValues") == []
