"""What a charger reports, as readings and events in kW, kWh, A by grid phase, V and shares. Pure.

Lenient: every sample is judged alone, and one that cannot be believed is left out and named in the refusals while the
others count. No charger's text makes these functions raise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
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
_PHASE_INDEX = {"L1": 0, "L1-N": 0, "L2": 1, "L2-N": 1, "L3": 2, "L3-N": 2}
_LINE_TO_LINE = frozenset({"L1-L2", "L2-L3", "L3-L1"})


@dataclass(frozen=True, slots=True)
class _Quantity:
    """How one measurand is read: factor of each unit to ours, and the range that can be true, in our unit."""

    name: str
    units: dict[str, float]
    low: float
    high: float


_KW = {"": 0.001, "w": 0.001, "kw": 1.0}
_QUANTITIES = {
    _ENERGY: _Quantity("energy", {"": 0.001, "wh": 0.001, "kwh": 1.0}, 0.0, MAX_ENERGY_KWH),
    "Power.Active.Import": _Quantity("power", _KW, -0.5, 1000.0),
    "Current.Import": _Quantity("current", {"": 1.0, "a": 1.0, "ma": 0.001}, -1.0, 1000.0),
    "Current.Offered": _Quantity("offered", {"": 1.0, "a": 1.0}, 0.0, 1000.0),
    "Voltage": _Quantity("voltage", {"": 1.0, "v": 1.0}, 0.0, 1000.0),
    "SoC": _Quantity("soc", {"": 0.01, "percent": 0.01, "%": 0.01}, 0.0, 1.0),
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
    overall: dict[str, float] = {}
    by_phase: dict[str, dict[int, float]] = {}
    for sample in _periodic(samples):
        found = _sample(sample)
        if found is None:
            continue
        if isinstance(found, str):
            causes.append(found)
            continue
        name, phase, value = found
        if phase is None:
            overall[name] = value
        else:
            by_phase.setdefault(name, {})[phase] = value
    if not overall and not by_phase:
        return None
    power = _total("power", overall, by_phase)
    volts = [v for v in (*by_phase.get("voltage", {}).values(), overall.get("voltage", 0.0)) if 50.0 <= v <= 300.0]
    offered = by_phase.get("offered")
    return ConnectorReading(
        power_kw=None if power is None else max(0.0, power),
        current_a=_grid_currents(overall.get("current"), by_phase.get("current", {}), power, phases, causes),
        voltage_v=sum(volts) / len(volts) if volts else None,
        energy_kwh=_total("energy", overall, by_phase),
        soc=overall.get("soc"),
        offered_a=max(offered.values()) if offered else overall.get("offered"),
    )


def _periodic(samples: list[Any]) -> list[Any]:
    """Without what belongs to the begin or end of something, where the moment itself was sampled too."""
    present = [s for s in samples if type(s) is not dict or str(s.get("context")) not in _BOUNDARY_CONTEXTS]
    return present or samples


def _sample(sample: Any) -> tuple[str, int | None, float] | str | None:
    """Quantity, phase index and value of one sample; a cause when it is refused; None when it is of no use here."""
    if type(sample) is not dict:
        return "meter-no-samples"
    measurand = sample.get("measurand") or _ENERGY
    quantity = _QUANTITIES.get(measurand) if type(measurand) is str else None
    if quantity is None:
        return None if type(measurand) is str and measurand in _UNUSED else "meter-unknown-measurand"
    if sample.get("format") == "SignedData":
        return None
    unit = sample.get("unit") or ""
    factor = quantity.units.get(unit.lower()) if type(unit) is str else None
    if factor is None:
        return "meter-unknown-unit"
    raw = sample.get("value")
    if raw is None or raw == "":
        return None
    value = number(raw) * factor
    if not quantity.low <= value <= quantity.high:
        return "meter-not-a-number" if math.isnan(value) else "meter-out-of-range"
    phase = sample.get("phase")
    if not phase:
        return quantity.name, None, value
    if type(phase) is not str:
        return "meter-unknown-phase"
    if phase in _LINE_TO_LINE:
        return (quantity.name, None, value / math.sqrt(3)) if quantity.name == "voltage" else None
    index = _PHASE_INDEX.get(phase)
    if index is None:
        return None if phase == "N" else "meter-unknown-phase"
    return quantity.name, index, value


def _total(name: str, overall: dict[str, float], by_phase: dict[str, dict[int, float]]) -> float | None:
    found = overall.get(name)
    if found is None and name in by_phase:
        return sum(by_phase[name].values())
    return found


def _grid_currents(
    overall_a: float | None,
    by_phase: dict[int, float],
    power_kw: float | None,
    phases: tuple[Phase, ...],
    causes: list[str],
) -> PhaseCurrents | None:
    """Currents on the grid's phases, never lower than what the charger's own samples allow.

    A current without phase counts on every wired phase. Where some phases were left out and the power says that they
    carry current too, they count like the highest one reported.
    """
    if not by_phase and overall_a is None:
        return None
    wired = {index: max(0.0, value) for index, value in by_phase.items() if index < len(phases)}
    if len(wired) < len(by_phase) and any(by_phase[index] > 0.5 for index in by_phase.keys() - wired.keys()):
        causes.append("meter-phase-not-wired")
    if wired:
        reported_kw = sum(wired.values()) * NOMINAL_VOLTAGE_V / 1000.0
        more_flows = len(wired) < len(phases) and power_kw is not None and power_kw > 1.25 * reported_kw + 0.1
        rest = max(wired.values()) if more_flows else 0.0
    elif overall_a is not None:
        rest = max(0.0, overall_a)
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
