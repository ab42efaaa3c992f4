"""Configuration keys of a charge point, OCPP 1.6 §9 and its security extension: what they are and may be set to.

The table of keys is shared by all charge points; each holds only the values in which it differs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from simulators.profile_store import MAX_PERIODS, MAX_PROFILES, MAX_STACK_LEVEL
from simulators.quirks import Quirks
from twin_core.models.charger import ChargerSpec, RateUnit

MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Current.Offered",
    "Voltage",
    "SoC",
)
"""What this charge point can sample."""
MAX_KEYS = 100
"""Keys one GetConfiguration may name."""
_MAX_VALUE = 500
_MAX_NUMBER = 2_000_000_000
"""Seconds beyond which an interval is no interval: 60 years."""


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration key.

    Attributes:
        value: what it holds at first.
        readonly: ChangeConfiguration is rejected.
        minimum: it holds a whole number of at least this.
        measurands: it holds a list of what can be sampled.
        at_reboot: a new value counts after the next restart only.
        secret: it may be written and never read.
    """

    value: str
    readonly: bool = False
    minimum: int | None = None
    measurands: bool = False
    at_reboot: bool = False
    secret: bool = False

    def allows(self, value: str) -> bool:
        """Whether it may hold a value."""
        if len(value) > _MAX_VALUE:
            return False
        if self.minimum is not None:
            digits = value.isascii() and value.isdigit() and len(value) < 11
            return digits and self.minimum <= int(value) <= _MAX_NUMBER
        if self.measurands:
            return all(part.strip() in MEASURANDS for part in value.split(",") if part.strip())
        if self.value in ("true", "false"):
            return value.lower() in ("true", "false")
        return True


KEYS: Final[dict[str, Key]] = {
    # Core
    "AllowOfflineTxForUnknownId": Key("true"),
    "AuthorizationCacheEnabled": Key("true"),
    "AuthorizeRemoteTxRequests": Key("false"),
    "ClockAlignedDataInterval": Key("0", minimum=0),
    "ConnectionTimeOut": Key("60", minimum=0),
    "ConnectorPhaseRotation": Key("", readonly=True),
    "GetConfigurationMaxKeys": Key(str(MAX_KEYS), readonly=True),
    "HeartbeatInterval": Key("300", minimum=1),
    "LocalAuthorizeOffline": Key("true"),
    "LocalPreAuthorize": Key("false"),
    "MeterValuesAlignedData": Key("Energy.Active.Import.Register", measurands=True),
    "MeterValuesSampledData": Key(",".join(MEASURANDS), measurands=True),
    "MeterValueSampleInterval": Key("10", minimum=0),
    "NumberOfConnectors": Key("", readonly=True),
    "ResetRetries": Key("1", minimum=0),
    "StopTransactionOnEVSideDisconnect": Key("true", readonly=True),
    "StopTransactionOnInvalidId": Key("true"),
    "StopTxnAlignedData": Key("", readonly=True),
    "StopTxnSampledData": Key("", measurands=True),
    "SupportedFeatureProfiles": Key(
        "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger", readonly=True
    ),
    "TransactionMessageAttempts": Key("3", minimum=1),
    "TransactionMessageRetryInterval": Key("10", minimum=0),
    "UnlockConnectorOnEVSideDisconnect": Key("true"),
    "WebSocketPingInterval": Key("0", minimum=0),
    # Local Auth List, Reservation
    "LocalAuthListEnabled": Key("true"),
    "LocalAuthListMaxLength": Key("200", readonly=True),
    "SendLocalListMaxLength": Key("100", readonly=True),
    "ReserveConnectorZeroSupported": Key("true", readonly=True),
    # Smart Charging
    "ChargeProfileMaxStackLevel": Key(str(MAX_STACK_LEVEL), readonly=True),
    "ChargingScheduleAllowedChargingRateUnit": Key("Current", readonly=True),
    "ChargingScheduleMaxPeriods": Key(str(MAX_PERIODS), readonly=True),
    "MaxChargingProfilesInstalled": Key(str(MAX_PROFILES), readonly=True),
    # Security extension
    "AdditionalRootCertificateCheck": Key("false", readonly=True),
    "AuthorizationKey": Key("", secret=True),
    "CertificateSignedMaxChainSize": Key("10000", readonly=True),
    "CertificateStoreMaxLength": Key("8", readonly=True),
    "CpoName": Key("depot-twin"),
    "SecurityProfile": Key("0", minimum=0, at_reboot=True),
    "SupportedFileTransferProtocols": Key("FTP,FTPS,HTTP,HTTPS,SFTP", readonly=True),
    # This charge point's own
    "ContinueTransactionAfterPowerLoss": Key("true"),
}


def _own_values(spec: ChargerSpec, quirks: Quirks) -> dict[str, str]:
    """Values that one charge point has for itself from the start."""
    own = {
        "ConnectorPhaseRotation": ",".join(f"{c.id.number}.{_rotation(len(c.phases))}" for c in spec.connectors),
        "NumberOfConnectors": str(len(spec.connectors)),
    }
    if quirks.unit is RateUnit.WATT:
        own["ChargingScheduleAllowedChargingRateUnit"] = "Power"
    return own


def _rotation(n_phases: int) -> str:
    return "RST" if n_phases == 3 else "NotApplicable"


class Configuration:
    """The keys of one charge point."""

    __slots__ = ("_at_reboot", "_own")

    def __init__(self, spec: ChargerSpec, quirks: Quirks) -> None:
        self._own = _own_values(spec, quirks)
        self._at_reboot: dict[str, str] = {}

    def text(self, key: str) -> str:
        """Value of a key in the table."""
        own = self._own.get(key)
        return KEYS[key].value if own is None else own

    def number(self, key: str) -> int:
        """Value of a numeric key."""
        return int(self.text(key))

    def flag(self, key: str) -> bool:
        """Value of a key that is true or false."""
        return self.text(key).lower() == "true"

    def measurands(self, key: str = "MeterValuesSampledData") -> tuple[str, ...]:
        """The list of measurands that a key holds."""
        return tuple(name for part in self.text(key).split(",") if (name := part.strip()))

    def report(self, wanted: Iterable[str]) -> tuple[list[dict[str, str | bool]], list[str]]:
        """Known and unknown keys among those wanted; all there are when none is named."""
        names = list(wanted) or list(KEYS)
        return [self._entry(name) for name in names if name in KEYS], [name for name in names if name not in KEYS]

    def _entry(self, name: str) -> dict[str, str | bool]:
        key = KEYS[name]
        entry: dict[str, str | bool] = {"key": name, "readonly": key.readonly}
        return entry if key.secret else {**entry, "value": self.text(name)}

    def set(self, key: str, value: str) -> str:
        """Set a key: Accepted, RebootRequired, Rejected or NotSupported, as ChangeConfiguration.conf states it."""
        known = KEYS.get(key)
        if known is None:
            return "NotSupported"
        if known.readonly or not known.allows(value):
            return "Rejected"
        if known.at_reboot:
            self._at_reboot[key] = value
            return "RebootRequired"
        self._own[key] = value
        return "Accepted"

    def preset(self, key: str, value: str) -> None:
        """Give a key the value it is delivered with."""
        self._own[key] = value

    def restarted(self) -> None:
        """Values that waited for a restart count from now on."""
        self._own.update(self._at_reboot)
        self._at_reboot.clear()
