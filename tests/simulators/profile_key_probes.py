"""For each configuration key beyond the Core profile, something that shows it is acted upon."""

from __future__ import annotations

import base64
from typing import Any

from cryptography import x509

from simulators.hardware import Hardware
from simulators.profile_store import MAX_PERIODS, MAX_PROFILES, MAX_STACK_LEVEL
from simulators.quirks import quirks
from tests.simulators.chargers import car, profile
from tests.simulators.core_key_probes import Probe
from tests.simulators.fake_central import settle
from tests.simulators.key_world import ACCEPTED, World, world
from tests.simulators.roots import pem, root

REJECTED = {"status": "Rejected"}


# Local Auth List, Reservation -----------------------------------------------------------------------------------------


async def send(here: World, version: int, kind: str, first: int, count: int) -> str:
    entries = [{"idTag": f"T{first + k}", "idTagInfo": ACCEPTED} for k in range(count)]
    answer = await here.call("SendLocalList", listVersion=version, updateType=kind, localAuthorizationList=entries)
    return str(answer["status"])


async def local_auth_list_enabled() -> None:
    async with world() as here:
        await here.set(LocalAuthListEnabled="false")
        assert await send(here, 1, "Full", 0, 1) == "NotSupported"


async def local_auth_list_max_length() -> None:
    async with world() as here:
        assert await here.value("LocalAuthListMaxLength") == "200"
        kinds = ("Full", "Differential", "Differential")
        sent = [await send(here, k + 1, kind, 100 * k, 100 if k < 2 else 1) for k, kind in enumerate(kinds)]
        assert sent == ["Accepted", "Accepted", "Failed"]


async def send_local_list_max_length() -> None:
    async with world() as here:
        most = int(await here.value("SendLocalListMaxLength"))
        assert [await send(here, 1, "Full", 0, most + k) for k in (1, 0)] == ["Failed", "Accepted"]


async def reserve_connector_zero_supported() -> None:
    async with world() as here:
        assert await here.value("ReserveConnectorZeroSupported") == "true"
        ask = {"connectorId": 0, "expiryDate": "2026-06-01T13:00:00Z", "idTag": "A", "reservationId": 1}
        assert await here.call("ReserveNow", **ask) == ACCEPTED


# Smart Charging -------------------------------------------------------------------------------------------------------


async def install(here: World, connector: int = 1, **fields: Any) -> Any:
    made = {"purpose": "TxDefaultProfile", **fields}
    return await here.call("SetChargingProfile", connectorId=connector, csChargingProfiles=profile(10.0, **made))


async def charge_profile_max_stack_level() -> None:
    async with world() as here:
        assert await here.value("ChargeProfileMaxStackLevel") == str(MAX_STACK_LEVEL)
        assert await install(here, level=MAX_STACK_LEVEL + 1) == REJECTED
        assert await install(here, level=MAX_STACK_LEVEL) == ACCEPTED


async def charging_schedule_allowed_charging_rate_unit() -> None:
    for names, said, unit, other in (([], "Current", "A", "W"), (["watts-only"], "Power", "W", "A")):
        async with world(quirks=quirks(names)) as here:
            assert await here.value("ChargingScheduleAllowedChargingRateUnit") == said
            assert await install(here, unit=unit) == ACCEPTED
            assert await install(here, unit=other) == REJECTED


async def charging_schedule_max_periods() -> None:
    async with world() as here:
        assert await here.value("ChargingScheduleMaxPeriods") == str(MAX_PERIODS)
        for count, answer in ((MAX_PERIODS + 1, REJECTED), (MAX_PERIODS, ACCEPTED)):
            made = profile(10.0, purpose="TxDefaultProfile")
            periods = [{"startPeriod": 60 * k, "limit": 10.0 + k % 2} for k in range(count)]
            made["chargingSchedule"]["chargingSchedulePeriod"] = periods
            assert await here.call("SetChargingProfile", connectorId=1, csChargingProfiles=made) == answer


async def connector_switch_3to1_phase_supported() -> None:
    for switches in (False, True):
        async with world(hardware=Hardware(switches_phases=switches)) as here:
            assert await here.value("ConnectorSwitch3to1PhaseSupported") == str(switches).lower()
            made = profile(10.0, purpose="TxDefaultProfile")
            made["chargingSchedule"]["chargingSchedulePeriod"][0]["numberPhases"] = 1
            await here.call("SetChargingProfile", connectorId=1, csChargingProfiles=made)
            await here.plug(then_s=40)
            assert [a > 0 for a in here.point.grid_currents()] == [True, not switches, not switches]


async def max_charging_profiles_installed() -> None:
    async with world(connectors=3) as here:
        assert await here.value("MaxChargingProfilesInstalled") == str(MAX_PROFILES)
        slots = [(connector, level) for connector in (1, 2, 3) for level in range(MAX_STACK_LEVEL + 1)]
        answers = [await install(here, c, level=level, number=k) for k, (c, level) in enumerate(slots)]
        assert answers == [ACCEPTED] * MAX_PROFILES + [REJECTED] * (len(slots) - MAX_PROFILES)


# Firmware Management and the security extension -----------------------------------------------------------------------


async def authorization_key() -> None:
    async with world(password="old secret") as here:
        await here.set(AuthorizationKey="new secret")
        await settle(10)
        assert here.central.authorizations[-1] == "Basic " + base64.b64encode(b"CP1:new secret").decode()


async def certificate_signed_max_chain_size() -> None:
    async with world() as here:
        most = int(await here.value("CertificateSignedMaxChainSize"))
        here.central.answers["SignCertificate"] = lambda _c, _p: ACCEPTED
        await here.call("ExtendedTriggerMessage", requestedMessage="SignChargePointCertificate")
        await settle()
        chain = pem(root())
        for length, answer in ((most + 1, REJECTED), (most, ACCEPTED)):
            assert await here.call("CertificateSigned", certificateChain=chain.ljust(length)) == answer


async def certificate_store_max_length() -> None:
    async with world() as here:
        most = int(await here.value("CertificateStoreMaxLength"))
        use = "ManufacturerRootCertificate"
        answers = [
            await here.call("InstallCertificate", certificateType=use, certificate=pem(root())) for _ in range(most + 1)
        ]
        assert answers == [ACCEPTED] * most + [{"status": "Failed"}]


async def cpo_name() -> None:
    async with world() as here:
        await here.set(CpoName="Harbour Power")
        await here.call("ExtendedTriggerMessage", requestedMessage="SignChargePointCertificate")
        await settle()
        request = x509.load_pem_x509_csr(here.central.of("SignCertificate")[0]["csr"].encode())
        assert request.subject.rfc4514_string() == "CN=CP1,O=Harbour Power"


async def security_profile() -> None:
    for password, value, events in ((None, "0", []), ("secret", "1", ["StartupOfTheDevice", "ResetOrReboot"])):
        async with world(password=password) as here:
            assert await here.value("SecurityProfile") == value
            await here.call("Reset", type="Soft")
            await settle(30)
            assert [p["type"] for p in here.central.of("SecurityEventNotification")] == events


async def supported_file_transfer_protocols() -> None:
    async with world() as here:
        schemes = (await here.value("SupportedFileTransferProtocols")).split(",")
        for scheme in [*schemes, "gopher"]:
            await here.call("GetDiagnostics", location=f"{scheme.lower()}://files.example/x")
            await settle(20)
        ends = [p["status"] for p in here.central.of("DiagnosticsStatusNotification") if p["status"] != "Uploading"]
        assert ends == ["Uploaded"] * len(schemes) + ["UploadFailed"]


async def continue_transaction_after_power_loss() -> None:
    for goes_on, reasons in (("true", []), ("false", ["PowerLoss"])):
        async with world() as here:
            await here.set(ContinueTransactionAfterPowerLoss=goes_on)
            await here.plug(car())
            here.point.cut_power()
            await settle(30)
            here.point.return_power()
            await settle(60)
            assert here.stop_reasons() == reasons


PROBES: dict[str, Probe] = {
    "AuthorizationKey": authorization_key,
    "CertificateSignedMaxChainSize": certificate_signed_max_chain_size,
    "CertificateStoreMaxLength": certificate_store_max_length,
    "ChargeProfileMaxStackLevel": charge_profile_max_stack_level,
    "ChargingScheduleAllowedChargingRateUnit": charging_schedule_allowed_charging_rate_unit,
    "ChargingScheduleMaxPeriods": charging_schedule_max_periods,
    "ConnectorSwitch3to1PhaseSupported": connector_switch_3to1_phase_supported,
    "ContinueTransactionAfterPowerLoss": continue_transaction_after_power_loss,
    "CpoName": cpo_name,
    "LocalAuthListEnabled": local_auth_list_enabled,
    "LocalAuthListMaxLength": local_auth_list_max_length,
    "MaxChargingProfilesInstalled": max_charging_profiles_installed,
    "ReserveConnectorZeroSupported": reserve_connector_zero_supported,
    "SecurityProfile": security_profile,
    "SendLocalListMaxLength": send_local_list_max_length,
    "SupportedFileTransferProtocols": supported_file_transfer_protocols,
}
