"""What an operator may ask of a running gateway's chargers, and what comes back: the operator's door in shapes."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

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


class ChargerLine(Shape):
    """A charger in a list; `status` is by connector."""

    charger: str
    online: bool
    vendor: str
    model: str
    firmware: str
    status: dict[int, str]


class ReservationLine(Shape):
    """A reservation that the charger holds, or may."""

    number: int
    connector: int
    id_tag: str
    until: AwareDatetime
    state: str


class ChargerCard(ChargerLine):
    """Everything known of one charger.

    Attributes:
        serial: as it says itself.
        commissioned: whether it may be sent setpoints.
        firmware_update: how far the last update came, in its own word.
        upload: how far the last upload of diagnostics or a log came.
        security_event: the newest it reported.
        list_version: of the list of tags it keeps itself; None where none was written.
        certificate_wanted: the certificate signing request it sent last, in PEM.
        counters: what passed over its links.
        refused: what was not believed, by cause.
        flawed: messages that broke the official schemas and were read all the same.
    """

    serial: str
    commissioned: bool
    firmware_update: str
    upload: str
    security_event: str
    list_version: int | None
    certificate_wanted: str | None
    reservations: tuple[ReservationLine, ...]
    counters: dict[str, int]
    refused: dict[str, int]
    flawed: dict[str, int]


class OperatorDesk(Protocol):
    """Whoever carries out orders."""

    def chargers(self) -> list[ChargerLine]:
        """Every charger of the site, adopted ones included."""

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
