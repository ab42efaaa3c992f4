"""Driver requests and limits over MQTT: pure functions from a payload to an event.

`depot/{site}/request`: `{"connector": "CP-01/1", "id_tag": "...", "energy_kwh": 20, "soc": 0.4, "priority": 1,
"departure": "2026-06-01T17:00:00Z", "firm": true}`; connector or tag must be there, `firm` says that the departure is a
timetable's. `depot/{site}/limit`: `{"node": "grid",
"limit_a": 63, "limit_kw": 40, "until": "...", "reason": "..."}`; it takes the place of what was imposed before, and can
only lower what the installation allows. Without `until` it stays; naming no limit lifts it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from connectors.mqtt.checks import MAX_PAYLOAD_BYTES
from connectors.mqtt.sample import PayloadRefused
from twin_core.errors import ProtocolError
from twin_core.models.events import LimitChanged, RequestAnnounced
from twin_core.models.ids import ConnectorId, IdTag, NodeId, charger_id
from twin_core.models.quantities import Instant
from twin_core.models.session import ChargingRequest

MAX_STAY = timedelta(days=60)
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

ModelT = TypeVar("ModelT", bound=BaseModel)


def request_topic(site: str) -> str:
    """Where requests for a site are published."""
    return f"depot/{site}/request"


def limit_topic(site: str) -> str:
    """Where limits for a site are published."""
    return f"depot/{site}/limit"


class _Request(BaseModel):
    """A request on the wire."""

    model_config = _STRICT
    id_tag: Annotated[str, Field(min_length=1, max_length=36)] | None = None
    connector: Annotated[str, Field(max_length=52)] | None = None
    energy_kwh: Annotated[float, Field(gt=0, le=2000)] | None = None
    departure: AwareDatetime | None = None
    soc: Annotated[float, Field(ge=0, le=1)] | None = None
    priority: Annotated[float, Field(gt=0, le=1000)] = 1.0
    firm: bool = False


class _Limit(BaseModel):
    """A limit on the wire."""

    model_config = _STRICT
    node: Annotated[str, Field(min_length=1, max_length=64)]
    limit_a: Annotated[float, Field(ge=0, le=20_000)] | None = None
    limit_kw: Annotated[float, Field(ge=0, le=20_000)] | None = None
    until: AwareDatetime | None = None
    reason: Annotated[str, Field(max_length=200)] = ""


def decode_request(payload: bytes, now: Instant) -> RequestAnnounced:
    """What a driver or a fleet schedule wants.

    Raises:
        PayloadRefused: it is malformed, names nobody, or leaves in the past or in the far future.
    """
    message = _parse(_Request, payload)
    if message.id_tag is None and message.connector is None:
        raise PayloadRefused("names_nobody", "give id_tag or connector")
    if message.departure is not None and not now.utc < message.departure <= now.utc + MAX_STAY:
        raise PayloadRefused("departure_out_of_range", message.departure.isoformat())
    return RequestAnnounced(
        at=now,
        request=ChargingRequest(
            energy_kwh=message.energy_kwh,
            departure=message.departure,
            soc_at_arrival=message.soc,
            priority=message.priority,
            firm=message.firm,
        ),
        connector_id=None if message.connector is None else _connector(message.connector),
        id_tag=None if message.id_tag is None else IdTag(message.id_tag),
    )


def decode_limit(payload: bytes, now: Instant) -> LimitChanged:
    """A limit set from outside.

    Raises:
        PayloadRefused: it is malformed, or has ended already.
    """
    message = _parse(_Limit, payload)
    if message.until is not None and not now.utc < message.until:
        raise PayloadRefused("already_ended", message.until.isoformat())
    return LimitChanged(
        at=now,
        node_id=NodeId(message.node),
        limit_a=message.limit_a,
        limit_kw=message.limit_kw,
        reason=message.reason,
        until=message.until,
    )


def _parse(model: type[ModelT], payload: bytes) -> ModelT:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PayloadRefused("too_large", f"{len(payload)} bytes")
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PayloadRefused("malformed", f"{where}: {first['msg']}"[:200]) from error


def _connector(text: str) -> ConnectorId:
    charger, _, number = text.rpartition("/")
    try:
        checked = charger_id(charger)
    except ProtocolError as error:
        raise PayloadRefused("malformed", f"connector {text!r}: write CHARGER/NUMBER") from error
    if not (number.isascii() and number.isdigit() and len(number) < 4 and int(number) > 0):
        raise PayloadRefused("malformed", f"connector {text!r}: connectors are numbered from 1")
    return ConnectorId(checked, int(number))
