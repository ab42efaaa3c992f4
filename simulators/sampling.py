"""Meter samples as OCPP 1.6 writes them: what a meter shows at a moment, as text values with measurand, phase and unit.

A charge point has a meter in each outlet and a main meter at its inlet, which OCPP calls connector 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from simulators.station import Outlet, Station
from simulators.wire import Payload
from twin_core.models.quantities import NOMINAL_VOLTAGE_V, power_kw

_PHASES = ("L1", "L2", "L3")
_Values = list[dict[str, str]]


def timestamp(moment: datetime) -> str:
    """A moment as OCPP writes it, in UTC to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter shows at one moment; tuples are by phase, in the charger's own order L1, L2, L3.

    Attributes:
        registers_kwh: lifetime import.
        interval_kwh: import since the reading before.
        current_a: drawn now.
        offered: current that the pilot offers, and on how many phases; None at the inlet.
        soc: of the vehicle, in [0, 1]; None without one.
    """

    registers_kwh: tuple[float, ...]
    interval_kwh: tuple[float, ...]
    current_a: tuple[float, ...]
    offered: tuple[float, int] | None = None
    soc: float | None = None


def outlet_reading(outlet: Outlet, before_kwh: tuple[float, ...] | None = None) -> Reading:
    """What the meter of an outlet shows, which showed `before_kwh` when the interval began; None for just now."""
    shown = outlet.registers_kwh
    soc = None if outlet.vehicle is None else outlet.vehicle.soc
    offered = (outlet.offered_a, outlet.phases_on)
    return Reading(shown, _since(before_kwh, shown), outlet.metered_currents(), offered, soc)


def inlet_reading(station: Station, before_kwh: tuple[float, ...] | None = None) -> Reading:
    """What the main meter of a charge point shows: its outlets together."""
    shown = _together(outlet.registers_kwh for outlet in station.outlets.values())
    current_a = _together(outlet.metered_currents() for outlet in station.outlets.values())
    return Reading(shown, _since(before_kwh, shown), current_a)


def _since(before_kwh: tuple[float, ...] | None, shown: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(now - then for now, then in zip(shown, before_kwh or shown, strict=True))


def _together(by_outlet: Iterable[tuple[float, ...]]) -> tuple[float, ...]:
    outlets = list(by_outlet)
    n_phases = max(len(values) for values in outlets)
    return tuple(sum(values[k] for values in outlets if k < len(values)) for k in range(n_phases))


def _energy(reading: Reading) -> _Values:
    return [{"value": f"{sum(reading.registers_kwh) * 1000:.0f}", "unit": "Wh"}]


def _energy_by_phase(reading: Reading) -> _Values:
    return _by_phase((f"{kwh * 1000:.0f}" for kwh in reading.registers_kwh), "Wh")


def _interval(reading: Reading) -> _Values:
    return [{"value": f"{sum(reading.interval_kwh) * 1000:.1f}", "unit": "Wh"}]


def _interval_by_phase(reading: Reading) -> _Values:
    return _by_phase((f"{kwh * 1000:.1f}" for kwh in reading.interval_kwh), "Wh")


def _power(reading: Reading) -> _Values:
    return [{"value": f"{power_kw(sum(reading.current_a), 1) * 1000:.0f}", "unit": "W"}]


def _power_by_phase(reading: Reading) -> _Values:
    return _by_phase((f"{power_kw(a, 1) * 1000:.0f}" for a in reading.current_a), "W", "-N")


def _current(reading: Reading) -> _Values:
    return _by_phase((f"{a:.2f}" for a in reading.current_a), "A")


def _voltage(reading: Reading) -> _Values:
    return _by_phase((f"{NOMINAL_VOLTAGE_V:.1f}" for _ in reading.current_a), "V", "-N")


def _offered(reading: Reading) -> _Values:
    return [] if reading.offered is None else [{"value": f"{reading.offered[0]:.1f}", "unit": "A"}]


def _power_offered(reading: Reading) -> _Values:
    return [] if reading.offered is None else [{"value": f"{power_kw(*reading.offered) * 1000:.0f}", "unit": "W"}]


def _soc(reading: Reading) -> _Values:
    return [] if reading.soc is None else [{"value": f"{reading.soc * 100:.1f}", "unit": "Percent"}]


def _by_phase(values: Iterable[str], unit: str, suffix: str = "") -> _Values:
    return [
        {"value": value, "unit": unit, "phase": name + suffix} for value, name in zip(values, _PHASES, strict=False)
    ]


_Sampler = Callable[[Reading], _Values]
_SAMPLERS: Final[dict[str, _Sampler]] = {
    "Energy.Active.Import.Register": _energy,
    "Energy.Active.Import.Interval": _interval,
    "Power.Active.Import": _power,
    "Current.Import": _current,
    "Current.Offered": _offered,
    "Power.Offered": _power_offered,
    "Voltage": _voltage,
    "SoC": _soc,
}
_BY_PHASE: Final[dict[str, _Sampler]] = {
    "Energy.Active.Import.Register": _energy_by_phase,
    "Energy.Active.Import.Interval": _interval_by_phase,
    "Power.Active.Import": _power_by_phase,
    "Current.Import": _current,
    "Voltage": _voltage,
}
_BY_BODY: Final = frozenset({"Current.Offered", "Power.Offered", "Voltage"})
"""What the charge point itself says, not the meter at the place of the reading."""


def _named(name: str) -> tuple[str, str | None]:
    """A measurand and the phase that its name ends in, such as Voltage.L1 (OCPP 1.6 §9.1, MeterValuesSampledData)."""
    measurand, _, phase = name.rpartition(".")
    return (measurand, phase) if phase in _PHASES else (name, None)


def can_sample(name: str) -> bool:
    """Whether there is a measurand of a name, which may end in one phase."""
    measurand, phase = _named(name)
    return measurand in (_SAMPLERS if phase is None else _BY_PHASE)


def _values(reading: Reading, name: str) -> _Values:
    measurand, phase = _named(name)
    if phase is None:
        return _SAMPLERS[measurand](reading)
    return [value for value in _BY_PHASE[measurand](reading) if value["phase"].startswith(phase)]


def _location(reading: Reading, measurand: str) -> str:
    if measurand == "SoC":
        return "EV"
    if reading.offered is None:
        return "Inlet"
    return "Body" if measurand in _BY_BODY else "Outlet"


def meter_value(reading: Reading, measurands: Iterable[str], context: str, at: datetime) -> Payload:
    """One MeterValue object.

    Args:
        reading: of the meter.
        measurands: which values, by their OCPP names with or without a phase; one it cannot measure is left out.
        context: reading context, such as Sample.Periodic or Trigger.
        at: on the charge point's own clock.
    """
    sampled = [
        {**value, "context": context, "measurand": _named(name)[0], "location": _location(reading, _named(name)[0])}
        for name in measurands
        if can_sample(name)
        for value in _values(reading, name)
    ]
    return {"timestamp": timestamp(at), "sampledValue": sampled}
