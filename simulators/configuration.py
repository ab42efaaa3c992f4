"""Configuration keys of a charge point, OCPP 1.6 §9: what GetConfiguration shows and ChangeConfiguration may set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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


@dataclass(slots=True)
class Key:
    """One configuration key."""

    value: str
    readonly: bool = False
    minimum: int | None = None


def _initial(spec: ChargerSpec, quirks: Quirks) -> dict[str, Key]:
    unit = "Power" if quirks.unit is RateUnit.WATT else "Current"
    rotation = ",".join(f"{c.id.number}.{_rotation(len(c.phases))}" for c in spec.connectors)
    return {
        "AuthorizeRemoteTxRequests": Key("false"),
        "ClockAlignedDataInterval": Key("0", minimum=0),
        "ConnectionTimeOut": Key("60", minimum=0),
        "ConnectorPhaseRotation": Key(rotation, readonly=True),
        "GetConfigurationMaxKeys": Key("50", readonly=True),
        "HeartbeatInterval": Key("300", minimum=1),
        "LocalAuthorizeOffline": Key("true"),
        "LocalPreAuthorize": Key("false"),
        "MeterValuesAlignedData": Key("Energy.Active.Import.Register"),
        "MeterValuesSampledData": Key(",".join(MEASURANDS)),
        "MeterValueSampleInterval": Key("10", minimum=0),
        "NumberOfConnectors": Key(str(len(spec.connectors)), readonly=True),
        "ResetRetries": Key("1", minimum=0),
        "StopTransactionOnEVSideDisconnect": Key("true"),
        "StopTransactionOnInvalidId": Key("true"),
        "StopTxnAlignedData": Key(""),
        "StopTxnSampledData": Key(""),
        "SupportedFeatureProfiles": Key("Core,SmartCharging,RemoteTrigger", readonly=True),
        "TransactionMessageAttempts": Key("3", minimum=1),
        "TransactionMessageRetryInterval": Key("10", minimum=0),
        "UnlockConnectorOnEVSideDisconnect": Key("true"),
        "WebSocketPingInterval": Key("0", minimum=0),
        "ChargeProfileMaxStackLevel": Key(str(MAX_STACK_LEVEL), readonly=True),
        "ChargingScheduleAllowedChargingRateUnit": Key(unit, readonly=True),
        "ChargingScheduleMaxPeriods": Key(str(MAX_PERIODS), readonly=True),
        "MaxChargingProfilesInstalled": Key(str(MAX_PROFILES), readonly=True),
    }


def _rotation(n_phases: int) -> str:
    return "RST" if n_phases == 3 else "NotApplicable"


class Configuration:
    """The keys of one charge point."""

    def __init__(self, spec: ChargerSpec, quirks: Quirks) -> None:
        self._keys = _initial(spec, quirks)

    def text(self, key: str) -> str:
        """Value of a key this charge point has."""
        return self._keys[key].value

    def number(self, key: str) -> int:
        """Value of a numeric key this charge point has."""
        return int(self._keys[key].value)

    def measurands(self) -> tuple[str, ...]:
        """What MeterValues are to hold."""
        return tuple(name for part in self.text("MeterValuesSampledData").split(",") if (name := part.strip()))

    def report(self, wanted: Iterable[str]) -> tuple[list[dict[str, str | bool]], list[str]]:
        """Known and unknown keys among those wanted; all there are when none is named."""
        names = list(wanted) or list(self._keys)
        known: list[dict[str, str | bool]] = [
            {"key": name, "readonly": self._keys[name].readonly, "value": self._keys[name].value}
            for name in names
            if name in self._keys
        ]
        return known, [name for name in names if name not in self._keys]

    def set(self, key: str, value: str) -> str:
        """Set a key: Accepted, Rejected or NotSupported, as ChangeConfiguration.conf states it."""
        entry = self._keys.get(key)
        if entry is None:
            return "NotSupported"
        if entry.readonly or not self._allowed(key, entry, value):
            return "Rejected"
        entry.value = value
        return "Accepted"

    @staticmethod
    def _allowed(key: str, entry: Key, value: str) -> bool:
        if entry.minimum is not None:
            return value.isascii() and value.isdigit() and int(value) >= entry.minimum
        if key in ("MeterValuesSampledData", "MeterValuesAlignedData"):
            return all(part.strip() in MEASURANDS for part in value.split(",") if part.strip())
        if entry.value in ("true", "false"):
            return value.lower() in ("true", "false")
        return True
