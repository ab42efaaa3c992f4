"""Configuration keys of a charge point, OCPP 1.6 §9 and its security extension: what they do and may be set to.

`KEYS` holds every key that is reported; each is acted upon. `OMITTED` holds the standard's other keys, all optional,
and says why they are not there. The table is shared by all charge points; each holds only the values in which it
differs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from simulators.hardware import Hardware, Rotation
from simulators.profile_store import MAX_PERIODS, MAX_PROFILES, MAX_STACK_LEVEL
from simulators.quirks import Quirks
from simulators.sampling import can_sample
from twin_core.models.charger import ChargerSpec, ConnectorSpec, RateUnit

REGISTER: Final = "Energy.Active.Import.Register"
_SAMPLED = f"{REGISTER},Power.Active.Import,Current.Import,Current.Offered,Voltage,SoC"
TRANSFER_SCHEMES: Final = ("FTP", "FTPS", "HTTP", "HTTPS", "SFTP")
"""What this charge point can fetch from and upload to."""
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
        what: it does.
        readonly: ChangeConfiguration is rejected.
        minimum: it holds a whole number of at least this.
        measurands: it holds a list of what can be sampled.
        at_reboot: a new value counts after the next restart only.
        secret: it may be written and never read.
    """

    value: str
    what: str
    readonly: bool = False
    minimum: int | None = None
    measurands: bool = False
    at_reboot: bool = False
    secret: bool = False

    def allows(self, value: str) -> bool:
        """Whether it may hold a value."""
        if len(value) > _MAX_VALUE or not _is_unicode(value):
            return False
        if self.minimum is not None:
            digits = value.isascii() and value.isdigit() and len(value) < 11
            return digits and self.minimum <= int(value) <= _MAX_NUMBER
        if self.measurands:
            return all(can_sample(part.strip()) for part in value.split(",") if part.strip())
        if self.value in ("true", "false"):
            return value.lower() in ("true", "false")
        return True


def _is_unicode(text: str) -> bool:
    """Whether a text can be written at all: JSON may hold halves of a character, and those cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


KEYS: Final[dict[str, Key]] = {
    # Core
    "AllowOfflineTxForUnknownId": Key("true", "without a link, tags that nobody knows may charge"),
    "AuthorizationCacheEnabled": Key("true", "tags that were answered for are remembered"),
    "AuthorizeRemoteTxRequests": Key("false", "the tag of a remote start is asked for first"),
    "ClockAlignedDataInterval": Key("0", "seconds between samples by the clock; 0 for none", minimum=0),
    "ConnectionTimeOut": Key("60", "seconds a remote start waits for a vehicle", minimum=0),
    "ConnectorPhaseRotation": Key("", "how it is wired, which no message changes", readonly=True),
    "GetConfigurationMaxKeys": Key(str(MAX_KEYS), "keys one GetConfiguration may name", readonly=True),
    "HeartbeatInterval": Key("300", "seconds between heartbeats", minimum=1),
    "LocalAuthorizeOffline": Key("true", "without a link, tags known to be accepted may charge"),
    "LocalPreAuthorize": Key("false", "with a link, tags known to be accepted charge without being asked for"),
    "MaxEnergyOnInvalidId": Key("0", "Wh that a tag found invalid still gets", minimum=0),
    "MeterValuesAlignedData": Key(REGISTER, "what MeterValues holds by the clock", measurands=True),
    "MeterValuesSampledData": Key(_SAMPLED, "what MeterValues holds during transactions", measurands=True),
    "MeterValueSampleInterval": Key("10", "seconds between samples of a transaction; 0 for none", minimum=0),
    "MinimumStatusDuration": Key("0", "seconds a status lasts before it is told", minimum=0),
    "NumberOfConnectors": Key("", "how many it has", readonly=True),
    "ResetRetries": Key("1", "how often a reset that failed is tried again", minimum=0),
    "StopTransactionOnEVSideDisconnect": Key("true", "a cable that is unplugged at the vehicle ends the transaction"),
    "StopTransactionOnInvalidId": Key("true", "a tag found invalid ends its transaction"),
    "StopTxnAlignedData": Key("", "what StopTransaction holds of each sample by the clock", measurands=True),
    "StopTxnSampledData": Key("", "what StopTransaction holds of each other sample", measurands=True),
    "SupportedFeatureProfiles": Key(
        "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger",
        "profiles whose requests are answered",
        readonly=True,
    ),
    "TransactionMessageAttempts": Key("3", "how often a transaction message is sent that is refused", minimum=1),
    "TransactionMessageRetryInterval": Key("10", "seconds until the first repetition; the next take longer", minimum=0),
    "UnlockConnectorOnEVSideDisconnect": Key("true", "a cable that is unplugged at the vehicle is unlocked here"),
    "WebSocketPingInterval": Key("0", "seconds between pings; 0 for none", minimum=0),
    # Local Auth List, Reservation
    "LocalAuthListEnabled": Key("true", "the local list counts"),
    "LocalAuthListMaxLength": Key("200", "tags the list may hold", readonly=True),
    "SendLocalListMaxLength": Key("100", "tags one SendLocalList may name", readonly=True),
    "ReserveConnectorZeroSupported": Key("true", "any connector may be reserved", readonly=True),
    # Smart Charging
    "ChargeProfileMaxStackLevel": Key(str(MAX_STACK_LEVEL), "highest stack level that is taken", readonly=True),
    "ChargingScheduleAllowedChargingRateUnit": Key("Current", "unit of limits that are taken", readonly=True),
    "ChargingScheduleMaxPeriods": Key(str(MAX_PERIODS), "periods a schedule may have", readonly=True),
    "ConnectorSwitch3to1PhaseSupported": Key("false", "it goes over to one phase where it is told", readonly=True),
    "MaxChargingProfilesInstalled": Key(str(MAX_PROFILES), "profiles it can hold", readonly=True),
    # Firmware Management and the security extension
    "AuthorizationKey": Key("", "password it shows", secret=True),
    "CertificateSignedMaxChainSize": Key("10000", "longest chain that CertificateSigned may hold", readonly=True),
    "CertificateStoreMaxLength": Key("8", "certificates it can hold", readonly=True),
    "CpoName": Key("depot-twin", "organisation in a certificate request"),
    "SecurityProfile": Key("0", "0 or 1, which sends security events at restarts", minimum=0, at_reboot=True),
    "SupportedFileTransferProtocols": Key(
        ",".join(TRANSFER_SCHEMES), "what it fetches from and sends to", readonly=True
    ),
    # This charge point's own
    "ContinueTransactionAfterPowerLoss": Key("true", "a transaction goes on when the power is back"),
}
OMITTED: Final[dict[str, str]] = {
    "AdditionalRootCertificateCheck": "root certificates are never replaced by one another here",
    "BlinkRepeat": "it has no lights",
    "ConnectorPhaseRotationMaxLength": "ConnectorPhaseRotation is not written",
    "LightIntensity": "it has no lights",
    "MeterValuesAlignedDataMaxLength": "any number of measurands is taken",
    "MeterValuesSampledDataMaxLength": "any number of measurands is taken",
    "StopTxnAlignedDataMaxLength": "any number of measurands is taken",
    "StopTxnSampledDataMaxLength": "any number of measurands is taken",
    "SupportedFeatureProfilesMaxLength": "SupportedFeatureProfiles is not written",
}
"""Keys of the standard that it does not have, all of them optional, and why."""


def _own_values(spec: ChargerSpec, quirks: Quirks, hardware: Hardware) -> dict[str, str]:
    """Values that one charge point has for itself from the start."""
    own = {
        "ConnectorPhaseRotation": _rotations(spec, hardware),
        "NumberOfConnectors": str(len(spec.connectors)),
    }
    if hardware.switches_phases:
        own["ConnectorSwitch3to1PhaseSupported"] = "true"
    if quirks.unit is RateUnit.WATT:
        own["ChargingScheduleAllowedChargingRateUnit"] = "Power"
    return own


def _rotations(spec: ChargerSpec, hardware: Hardware) -> str:
    """How the main meter is wired to the grid (0), and each connector to the supply."""
    told = [f"0.{_inlet(spec.connectors)}"]
    for k, connector in enumerate(spec.connectors):
        turned = hardware.rotation[k] if k < len(hardware.rotation) else Rotation.RST
        told.append(f"{connector.id.number}.{turned if len(connector.phases) == 3 else 'NotApplicable'}")
    return ",".join(told)


def _inlet(connectors: tuple[ConnectorSpec, ...]) -> str:
    if {len(connector.phases) for connector in connectors} != {3}:
        return "NotApplicable"
    ways = {connector.phases for connector in connectors}
    if len(ways) > 1 or not all(connector.rotation_known for connector in connectors):
        return "Unknown"
    return "".join("RST"[phase] for phase in connectors[0].phases)


class Configuration:
    """The keys of one charge point."""

    __slots__ = ("_at_reboot", "_own")

    def __init__(self, spec: ChargerSpec, quirks: Quirks, hardware: Hardware) -> None:
        self._own = _own_values(spec, quirks, hardware)
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
