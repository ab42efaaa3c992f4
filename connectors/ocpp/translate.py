"""What a charger reports, as readings and events in kW, kWh, A by grid phase, V and shares. Pure.

Lenient: every sample is judged alone, and one that cannot be believed is left out and named in the refusals while the
others count. No charger's text makes these functions raise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from connectors.ocpp.frames import Payload
from twin_core.models.charger import ChargerIdentity, ConnectorReading, ConnectorSpec, ConnectorStatus
from twin_core.models.events import ConnectorMetered, ConnectorStatusReported
from twin_core.models.ids import IdTag, TransactionId
from twin_core.models.quantities import NOMINAL_VOLTAGE_V, Instant, Phase, PhaseCurrents

MAX_ENERGY_KWH = 1e8
MAX_ID_TAG_LENGTH = 64

_ENERGY = "Energy.Active.Import.Register"
_BOUNDARY_CONTEXTS = frozenset({"Transaction.Begin", "Transaction.End", "Interruption.Begin", "Interruption.End"})
_PHASE_INDEX = {"L1": 1, "L1-N": 1, "L2": 2, "L2-N": 2, "L3": 3, "L3-N": 3}
_LINE_TO_LINE = frozenset({"L1-L2", "L2-L3", "L3-L1"})


@dataclass(frozen=True, slots=True)
class _Quantity:
    """How one measurand is read: factor of each unit to ours, and the range that can be true, in our unit.

    Attributes:
        row: where its values stand among those of one moment: all phases together first, then L1, L2, L3.
    """

    row: int
    units: dict[str, float]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Slot:
    """How to read the samples of one description.

    Attributes:
        place: where the value goes among those of one moment; None where it is of no use here.
        boundary: it belongs to the begin or end of a transaction or an interruption.
        refused: cause to count; empty where nothing is wrong with it.
    """

    place: int | None
    factor: float = 1.0
    low: float = 0.0
    high: float = 0.0
    boundary: bool = False
    refused: str = ""


_ENERGY_ROW, _POWER_ROW, _CURRENT_ROW, _OFFERED_ROW, _VOLTAGE_ROW, _SOC_ROW = range(0, 24, 4)

_Values = list[float | None]
"""What one moment's samples say, by row and phase; None was not reported, NaN was and is not believed."""

_NOTHING = ConnectorReading()

_KW = {"": 0.001, "w": 0.001, "kw": 1.0}
_QUANTITIES = {
    _ENERGY: _Quantity(_ENERGY_ROW, {"": 0.001, "wh": 0.001, "kwh": 1.0}, 0.0, MAX_ENERGY_KWH),
    "Power.Active.Import": _Quantity(_POWER_ROW, _KW, -0.5, 1000.0),
    "Current.Import": _Quantity(_CURRENT_ROW, {"": 1.0, "a": 1.0, "ma": 0.001}, -1.0, 1000.0),
    "Current.Offered": _Quantity(_OFFERED_ROW, {"": 1.0, "a": 1.0}, 0.0, 1000.0),
    "Voltage": _Quantity(_VOLTAGE_ROW, {"": 1.0, "v": 1.0}, 0.0, 1000.0),
    "SoC": _Quantity(_SOC_ROW, {"": 0.01, "percent": 0.01, "%": 0.01}, 0.0, 1.0),
}
_UNUSED = frozenset(
    {
        "Energy.Active.Export.Register",
        "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Register",
        "Energy.Active.Export.Interval",
        "Energy.Active.Import.Interval",
        "Energy.Reactive.Export.Interval",
        "Energy.Reactive.Import.Interval",
        "Power.Active.Export",
        "Power.Offered",
        "Power.Reactive.Export",
        "Power.Reactive.Import",
        "Power.Factor",
        "Current.Export",
        "Frequency",
        "Temperature",
        "RPM",
    }
)


def number(value: Any) -> float:
    """A number as chargers write them, in text or not; NaN for anything else."""
    if type(value) is str:
        if "_" in value:  # Python's own notation, no charger's
            return math.nan
        try:
            return float(value)
        except ValueError:
            return math.nan
    return float(value) if type(value) in (int, float) and abs(value) < 1e300 else math.nan


def timestamp(value: Any) -> datetime | None:
    """A charger's timestamp in UTC, read as UTC where it names no zone; None when it cannot be read."""
    if type(value) is not str:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is UTC:
            return moment
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def id_tag(value: Any) -> IdTag:
    """A tag without what could forge a log line or a page; empty when there is none."""
    if type(value) not in (str, int):
        return IdTag("")
    return IdTag("".join(c for c in str(value)[:MAX_ID_TAG_LENGTH] if c.isprintable()).strip())


def integer(value: Any) -> int | None:
    """A whole number in 32 bits, in text or not; None for anything else."""
    found = number(value)
    return int(found) if abs(found) < 2**31 and found == int(found) else None


def energy_kwh(value: Any) -> float | None:
    """A register in Wh as Start- and StopTransaction give it, in kWh; None when it cannot be one."""
    found = number(value) / 1000.0
    return found if 0.0 <= found <= MAX_ENERGY_KWH else None


def text(value: Any, length: int = 50) -> str:
    """A short printable text; empty when there is none."""
    if type(value) not in (str, int, float):
        return ""
    return "".join(c for c in str(value)[:length] if c.isprintable()).strip()


def identity(payload: Payload) -> ChargerIdentity:
    """Who a charger says it is in BootNotification."""
    extra = {key: found for key in ("iccid", "imsi", "meterType") if (found := text(payload.get(key)))}
    return ChargerIdentity(
        vendor=text(payload.get("chargePointVendor")),
        model=text(payload.get("chargePointModel")),
        firmware=text(payload.get("firmwareVersion")),
        serial=text(payload.get("chargePointSerialNumber")) or text(payload.get("chargeBoxSerialNumber")),
        extra=extra,
    )


def status_event(payload: Payload, connector: ConnectorSpec, at: Instant) -> ConnectorStatusReported | None:
    """StatusNotification as an event; None when the status is none of the standard's."""
    try:
        status = ConnectorStatus(str(payload.get("status")))
    except ValueError:
        return None
    return ConnectorStatusReported(
        at=at,
        connector_id=connector.id,
        status=status,
        error_code=text(payload.get("errorCode")) or "NoError",
        reported_at=timestamp(payload.get("timestamp")),
    )


def meter_events(
    payload: Payload, connector: ConnectorSpec, at: Instant, transaction_id: TransactionId | None
) -> tuple[list[ConnectorMetered], list[str]]:
    """MeterValues as events, and the causes for which samples were left out."""
    causes: list[str] = []
    events: list[ConnectorMetered] = []
    groups = payload.get("meterValue")
    for group in groups if type(groups) is list else ():
        samples = group.get("sampledValue") if type(group) is dict else None
        if type(samples) is not list:
            causes.append("meter-no-samples")
            continue
        reading = read_samples(samples, connector.phases, causes)
        if reading is not None:
            events.append(
                ConnectorMetered(
                    at=at,
                    connector_id=connector.id,
                    reading=reading,
                    transaction_id=transaction_id,
                    reported_at=timestamp(group.get("timestamp")),
                )
            )
    return events, causes


def read_samples(samples: list[Any], phases: tuple[Phase, ...], causes: list[str]) -> ConnectorReading | None:
    """One moment's samples as a reading.

    Args:
        samples: the `sampledValue` array.
        phases: grid phases that the charger's own L1, L2, L3 are wired to.
        causes: gets the name of each reason for which a sample was left out.

    Returns:
        What is known; None when nothing is.
    """
    values: _Values = [None] * 24
    boundary: _Values = [None] * 24
    for sample in samples:
        try:
            get = sample.get
            slot = _slot(get("measurand"), get("unit"), get("phase"), get("format"), get("context"))
        except (AttributeError, TypeError):  # no object, or an object where a name belongs
            causes.append("meter-unreadable")
            continue
        if slot.refused:
            causes.append(slot.refused)
        raw = get("value")
        if slot.place is None or raw is None or raw == "":
            continue
        value = number(raw) * slot.factor
        if not slot.low <= value <= slot.high:
            causes.append("meter-not-a-number" if math.isnan(value) else "meter-out-of-range")
            value = math.nan  # kept as a gap, so that the other phases do not pass for the whole
        (boundary if slot.boundary else values)[slot.place] = value
    # What belongs to the begin or end of something yields to what was sampled at the moment itself.
    reading = _reading(values, phases, causes)
    if reading == _NOTHING:
        reading = _reading(boundary, phases, causes)
    return None if reading == _NOTHING else reading


@lru_cache(maxsize=4096)
def _slot(measurand: Any, unit: Any, phase: Any, form: Any, context: Any) -> _Slot:
    """How to read a sample of this description; remembered, since chargers send the same few for ever."""
    quantity = _QUANTITIES.get(measurand or _ENERGY)
    if quantity is None:
        return _Slot(None, refused="" if measurand in _UNUSED else "meter-unknown-measurand")
    if form == "SignedData":
        return _Slot(None)
    factor = quantity.units.get(str(unit or "").lower())
    if factor is None:
        return _Slot(None, refused="meter-unknown-unit")
    index = _PHASE_INDEX.get(phase) if phase else 0
    if index is None:
        index = 0
        if phase in _LINE_TO_LINE and quantity.row == _VOLTAGE_ROW:
            factor /= math.sqrt(3)
        else:
            return _Slot(None, refused="" if phase in _LINE_TO_LINE or phase == "N" else "meter-unknown-phase")
    boundary = context in _BOUNDARY_CONTEXTS
    return _Slot(quantity.row + index, factor=factor, low=quantity.low, high=quantity.high, boundary=boundary)


def _reading(values: _Values, phases: tuple[Phase, ...], causes: list[str]) -> ConnectorReading:
    power = _total(values, _POWER_ROW)
    volts = [v for v in values[_VOLTAGE_ROW:_SOC_ROW] if v is not None and 50.0 <= v <= 300.0]
    offered = [v for v in values[_OFFERED_ROW:_VOLTAGE_ROW] if v is not None and v >= 0.0]
    soc = values[_SOC_ROW]
    return ConnectorReading(
        power_kw=None if power is None else max(0.0, power),
        current_a=_grid_currents(values[_CURRENT_ROW:_OFFERED_ROW], power, phases, causes),
        voltage_v=sum(volts) / len(volts) if volts else None,
        energy_kwh=_total(values, _ENERGY_ROW),
        soc=None if soc is None or math.isnan(soc) else soc,
        offered_a=max(offered) if offered else None,
    )


def _total(values: _Values, row: int) -> float | None:
    """What was said of all phases together, or else the sum of those reported; None where either has a gap."""
    total = values[row]
    if total is None:
        for value in values[row + 1 : row + 4]:
            if value is not None:
                total = value if total is None else total + value
    return None if total is None or math.isnan(total) else total


def _grid_currents(
    current_a: _Values, power_kw: float | None, phases: tuple[Phase, ...], causes: list[str]
) -> PhaseCurrents | None:
    """Currents on the grid's phases, never lower than what the charger's own samples allow.

    A current without phase counts on every wired phase. Where some phases were left out and the power says that they
    carry current too, they count like the highest one reported.
    """
    for value in current_a:
        if value is not None and math.isnan(value):
            return None
    wired: dict[int, float] = {}
    for index, value in enumerate(current_a[1:]):
        if value is None:
            continue
        if index < len(phases):
            wired[index] = value if value > 0.0 else 0.0
        elif value > 0.5:
            causes.append("meter-phase-not-wired")
    rest = 0.0
    if wired:
        if len(wired) < len(phases) and power_kw is not None:
            reported_kw = sum(wired.values()) * NOMINAL_VOLTAGE_V / 1000.0
            rest = max(wired.values()) if power_kw > 1.25 * reported_kw + 0.1 else 0.0
    elif current_a[0] is not None:
        rest = max(0.0, current_a[0])
    else:
        return None
    grid = [0.0, 0.0, 0.0]
    for index, phase in enumerate(phases):
        grid[phase] = wired.get(index, rest)
    return (grid[0], grid[1], grid[2])


def phases_in_use(current_a: PhaseCurrents, phases: tuple[Phase, ...]) -> int:
    """On how many of the wired phases a vehicle draws; 0 when it draws too little to tell."""
    return sum(current_a[phase] > 2.0 for phase in phases)


def power_from_energy(before_kwh: float, after_kwh: float, elapsed_s: float) -> float | None:
    """Mean power between two register readings in kW; None when the register or the clock does not allow one.

    Args:
        before_kwh: earlier reading.
        after_kwh: later reading.
        elapsed_s: time between them on the gateway's own clock.
    """
    if not (elapsed_s >= 1.0 and after_kwh >= before_kwh):
        return None
    power_kw = (after_kwh - before_kwh) * 3600.0 / elapsed_s
    return power_kw if power_kw <= 1000.0 else None
