"""Every configuration key of OCPP 1.6 and its security extension: acted upon, or honestly not reported."""

from __future__ import annotations

import pytest

from simulators.configuration import KEYS, OMITTED
from tests.simulators import core_key_probes, profile_key_probes
from tests.simulators.key_world import world

_NAMES = """
AllowOfflineTxForUnknownId AuthorizationCacheEnabled AuthorizeRemoteTxRequests BlinkRepeat ClockAlignedDataInterval
ConnectionTimeOut ConnectorPhaseRotation ConnectorPhaseRotationMaxLength GetConfigurationMaxKeys HeartbeatInterval
LightIntensity LocalAuthorizeOffline LocalPreAuthorize MaxEnergyOnInvalidId MeterValuesAlignedData
MeterValuesAlignedDataMaxLength MeterValuesSampledData MeterValuesSampledDataMaxLength MeterValueSampleInterval
MinimumStatusDuration NumberOfConnectors ResetRetries StopTransactionOnEVSideDisconnect StopTransactionOnInvalidId
StopTxnAlignedData StopTxnAlignedDataMaxLength StopTxnSampledData StopTxnSampledDataMaxLength
SupportedFeatureProfiles SupportedFeatureProfilesMaxLength TransactionMessageAttempts
TransactionMessageRetryInterval UnlockConnectorOnEVSideDisconnect WebSocketPingInterval
LocalAuthListEnabled LocalAuthListMaxLength SendLocalListMaxLength
ReserveConnectorZeroSupported
ChargeProfileMaxStackLevel ChargingScheduleAllowedChargingRateUnit ChargingScheduleMaxPeriods
ConnectorSwitch3to1PhaseSupported MaxChargingProfilesInstalled
SupportedFileTransferProtocols
AdditionalRootCertificateCheck AuthorizationKey CertificateSignedMaxChainSize CertificateStoreMaxLength CpoName
SecurityProfile
"""
STANDARD = frozenset(_NAMES.split())
"""OCPP 1.6 edition 2 §9.1 to §9.4, its errata, and the security whitepaper §2.2."""
OPTIONAL = frozenset(name for name in STANDARD if name.endswith("MaxLength")) | {
    "AdditionalRootCertificateCheck",
    "BlinkRepeat",
    "LightIntensity",
}
OWN = {"ContinueTransactionAfterPowerLoss"}
PROBES = core_key_probes.PROBES | profile_key_probes.PROBES


def test_every_key_of_the_standard_is_either_reported_or_left_out_for_a_reason() -> None:
    assert set(KEYS) | set(OMITTED) == STANDARD | OWN
    assert not set(KEYS) & set(OMITTED)
    assert set(OMITTED) <= OPTIONAL
    assert all(OMITTED.values())
    assert all(key.what for key in KEYS.values())


def test_every_key_that_is_reported_is_probed() -> None:
    assert set(PROBES) == set(KEYS)


@pytest.mark.parametrize("key", sorted(KEYS))
async def test_a_key_that_is_reported_is_acted_upon(key: str) -> None:
    await PROBES[key]()


async def test_a_key_that_is_not_reported_cannot_be_set_either() -> None:
    async with world() as here:
        answer = await here.call("GetConfiguration", key=sorted(OMITTED))
        assert answer == {"configurationKey": [], "unknownKey": sorted(OMITTED)}
        for key in OMITTED:
            assert await here.call("ChangeConfiguration", key=key, value="1") == {"status": "NotSupported"}


@pytest.mark.parametrize("key", sorted(name for name, key in KEYS.items() if key.readonly))
async def test_what_no_message_may_change_is_rejected(key: str) -> None:
    async with world() as here:
        assert await here.call("ChangeConfiguration", key=key, value=KEYS[key].value) == {"status": "Rejected"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MeterValuesSampledData", "Energy.Active.Export.Register"),
        ("MeterValuesSampledData", "SoC.L1"),
        ("StopTxnAlignedData", "Colour"),
        ("MinimumStatusDuration", "-1"),
        ("MaxEnergyOnInvalidId", "1.5"),
        ("ResetRetries", ""),
        ("StopTransactionOnEVSideDisconnect", "perhaps"),
        ("CpoName", "x" * 501),
    ],
)
async def test_a_value_that_makes_no_sense_is_rejected(key: str, value: str) -> None:
    async with world() as here:
        assert await here.call("ChangeConfiguration", key=key, value=value) == {"status": "Rejected"}
