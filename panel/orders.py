"""What an operator may ask of a running gateway's chargers, and what comes back: the operator's door in shapes."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from panel.cards import ChargerCard, ChargerDetail, ChargerLine
from twin_core.models.charger import Aspect

Connector = Annotated[int, Field(ge=0, le=64)]
IdTagText = Annotated[str, Field(min_length=1, max_length=20)]
Location = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[a-z]{2,6}://[^\s]+$")]
SettingName = Annotated[str, Field(min_length=1, max_length=50)]


class Shape(BaseModel):
    """Closed: a misspelt field is refused and never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ResetOrder(Shape):
    """Restart the charger."""

    operation: Literal["reset"] = "reset"
    hard: bool = False


class UnlockOrder(Shape):
    """Open the lock of a connector."""

    operation: Literal["unlock"] = "unlock"
    connector: Annotated[int, Field(ge=1, le=64)] = 1


class TriggerOrder(Shape):
    """Have the charger say something now."""

    operation: Literal["trigger"] = "trigger"
    message: Literal[
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "SignChargePointCertificate",
        "StatusNotification",
    ]
    connector: Connector | None = None


class ReadConfigurationOrder(Shape):
    """Read settings, all of them where none is named."""

    operation: Literal["read_configuration"] = "read_configuration"
    keys: Annotated[tuple[SettingName, ...], Field(max_length=50)] = ()


class WriteConfigurationOrder(Shape):
    """Write one setting."""

    operation: Literal["write_configuration"] = "write_configuration"
    key: SettingName
    value: Annotated[str, Field(max_length=500)]


class FirmwareOrder(Shape):
    """Have the charger fetch firmware and install it; signed where certificate and signature are given."""

    operation: Literal["firmware"] = "firmware"
    location: Location
    retrieve: AwareDatetime | None = None
    certificate: Annotated[str, Field(max_length=5500)] | None = None
    signature: Annotated[str, Field(max_length=800)] | None = None


class DiagnosticsOrder(Shape):
    """Have the charger upload its diagnostics; by the security extension where a log is named."""

    operation: Literal["diagnostics"] = "diagnostics"
    location: Location
    log: Literal["diagnostics", "security"] | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class ReserveOrder(Shape):
    """Keep a connector, or with 0 any, free for a tag or its group, by the gateway's clock."""

    operation: Literal["reserve"] = "reserve"
    connector: Connector
    id_tag: IdTagText
    minutes: Annotated[float, Field(gt=0, le=7 * 24 * 60, allow_inf_nan=False)] = 60.0
    group: IdTagText | None = None


class CancelOrder(Shape):
    """Give a reserved connector free."""

    operation: Literal["cancel"] = "cancel"
    number: Annotated[int, Field(ge=1, lt=2**31)]


class StartOrder(Shape):
    """Ask the charger to start a transaction for a tag; on any connector where none is named."""

    operation: Literal["start"] = "start"
    id_tag: IdTagText
    connector: Annotated[int, Field(ge=1, le=64)] | None = None


class StopOrder(Shape):
    """Ask the charger to stop a transaction; the one that runs on a connector where its number is not known."""

    operation: Literal["stop"] = "stop"
    transaction: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    connector: Annotated[int, Field(ge=1, le=64)] | None = None


class AvailabilityOrder(Shape):
    """Take a connector, or with 0 the whole charger, out of service or back."""

    operation: Literal["availability"] = "availability"
    available: bool
    connector: Connector = 0


class ClearCacheOrder(Shape):
    """Make the charger forget which tags it saw accepted."""

    operation: Literal["clear_cache"] = "clear_cache"


class DataTransferOrder(Shape):
    """Send a vendor's private message."""

    operation: Literal["data_transfer"] = "data_transfer"
    vendor: Annotated[str, Field(min_length=1, max_length=255)]
    message: Annotated[str, Field(max_length=50)] | None = None
    data: Annotated[str, Field(max_length=10_000)] | None = None


class LocalListOrder(Shape):
    """Ask for the version of the list of tags the charger keeps itself, or bring it to the site's list, or empty it."""

    operation: Literal["local_list"] = "local_list"
    what: Literal["version", "send", "empty"] = "version"


class ForgetOrder(Shape):
    """Forget what was learned of the charger, all or some of it, and find it out anew; of its whole model too."""

    operation: Literal["forget"] = "forget"
    what: Annotated[tuple[Aspect, ...], Field(max_length=len(Aspect))] = ()
    model: bool = False


class CertificateOrder(Shape):
    """Hand over the certificate the charger asked for, signed elsewhere or by the depot; install or list roots."""

    operation: Literal["certificate"] = "certificate"
    what: Literal["deliver", "sign", "install", "list"]
    use: Literal["CentralSystemRootCertificate", "ManufacturerRootCertificate"] = "CentralSystemRootCertificate"
    pem: Annotated[str, Field(max_length=10_000)] = ""


class DeleteCertificateOrder(Shape):
    """Delete a certificate, named as the charger listed it."""

    operation: Literal["delete_certificate"] = "delete_certificate"
    algorithm: Literal["SHA256", "SHA384", "SHA512"]
    issuer_name_hash: Annotated[str, Field(max_length=128)]
    issuer_key_hash: Annotated[str, Field(max_length=128)]
    serial_number: Annotated[str, Field(max_length=40)]


Order = Annotated[
    ResetOrder
    | UnlockOrder
    | TriggerOrder
    | ReadConfigurationOrder
    | WriteConfigurationOrder
    | FirmwareOrder
    | DiagnosticsOrder
    | ReserveOrder
    | CancelOrder
    | StartOrder
    | StopOrder
    | AvailabilityOrder
    | ClearCacheOrder
    | DataTransferOrder
    | LocalListOrder
    | ForgetOrder
    | CertificateOrder
    | DeleteCertificateOrder,
    Field(discriminator="operation"),
]


class ChargerAnswer(Shape):
    """What a charger said to an order.

    Attributes:
        outcome: done, refused, error, silent or offline; the last three leave open whether it acted.
        said: the charger's own word, empty where it said none.
        number: of the request or reservation, where it has one.
        payload: all the charger answered.
    """

    charger: str
    action: str
    outcome: Literal["done", "refused", "error", "silent", "offline"]
    said: str
    number: int | None
    payload: dict[str, Any]


class OperatorDesk(Protocol):
    """Whoever carries out orders."""

    def chargers(self) -> list[ChargerLine]:
        """Every charger of the site, adopted ones included."""

    def detail(self, name: str) -> ChargerDetail | None:
        """What anybody may see of one of them; None where it is not known."""

    async def charger(self, name: str) -> ChargerCard | None:
        """One of them; None where it is not known.

        Raises:
            StorageError: what is written down of it cannot be read.
        """

    async def carry_out(self, name: str, order: Order) -> ChargerAnswer | None:
        """Ask the charger; returns when it answered or its time was over. None where the charger is not known.

        Raises:
            StorageError: what has to be written down first cannot be.
            ProtocolError: the order breaks the standard; nothing was sent.
        """
