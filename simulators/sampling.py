"""Meter samples of an outlet as OCPP 1.6 writes them: text values with measurand, phase and unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from simulators.station import Outlet
from simulators.wire import Payload
from twin_core.models.quantities import NOMINAL_VOLTAGE_V, power_kw

_PHASES = ("L1", "L2", "L3")
_Values = list[dict[str, str]]


def timestamp(moment: datetime) -> str:
    """A moment as OCPP writes it, in UTC to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _energy(outlet: Outlet) -> _Values:
    return [{"value": f"{outlet.register_kwh * 1000:.0f}", "unit": "Wh"}]


def _power(outlet: Outlet) -> _Values:
    return [{"value": f"{power_kw(sum(outlet.metered_currents()), 1) * 1000:.0f}", "unit": "W"}]


def _current(outlet: Outlet) -> _Values:
    """One value for each phase of the connector, in the charger's own order L1, L2, L3."""
    return [
        {"value": f"{a:.2f}", "unit": "A", "phase": name}
        for a, name in zip(outlet.metered_currents(), _PHASES, strict=False)
    ]


def _power_by_phase(outlet: Outlet) -> _Values:
    return [
        {"value": f"{power_kw(a, 1) * 1000:.0f}", "unit": "W", "phase": f"{name}-N"}
        for a, name in zip(outlet.metered_currents(), _PHASES, strict=False)
    ]


def _offered(outlet: Outlet) -> _Values:
    return [{"value": f"{outlet.offered_a:.1f}", "unit": "A"}]


def _power_offered(outlet: Outlet) -> _Values:
    return [{"value": f"{power_kw(outlet.offered_a, outlet.phases_on) * 1000:.0f}", "unit": "W"}]


def _voltage(outlet: Outlet) -> _Values:
    names = _PHASES[: len(outlet.spec.phases)]
    return [{"value": f"{NOMINAL_VOLTAGE_V:.1f}", "unit": "V", "phase": f"{name}-N"} for name in names]


def _soc(outlet: Outlet) -> _Values:
    return [{"value": f"{outlet.vehicle.soc * 100:.1f}", "unit": "Percent"}] if outlet.vehicle else []


_SAMPLERS: Final[dict[str, Callable[[Outlet], _Values]]] = {
    "Energy.Active.Import.Register": _energy,
    "Power.Active.Import": _power,
    "Current.Import": _current,
    "Current.Offered": _offered,
    "Power.Offered": _power_offered,
    "Voltage": _voltage,
    "SoC": _soc,
}
_BY_PHASE: Final[dict[str, Callable[[Outlet], _Values]]] = {
    "Power.Active.Import": _power_by_phase,
    "Current.Import": _current,
    "Voltage": _voltage,
}


def _named(name: str) -> tuple[str, str | None]:
    """A measurand and the phase that its name ends in, such as Voltage.L1 (OCPP 1.6 §9.1, MeterValuesSampledData)."""
    measurand, _, phase = name.rpartition(".")
    return (measurand, phase) if phase in _PHASES else (name, None)


def can_sample(name: str) -> bool:
    """Whether there is a measurand of a name, which may end in one phase."""
    measurand, phase = _named(name)
    return measurand in (_SAMPLERS if phase is None else _BY_PHASE)


def _values(outlet: Outlet, name: str) -> _Values:
    measurand, phase = _named(name)
    if phase is None:
        return _SAMPLERS[measurand](outlet)
    return [value for value in _BY_PHASE[measurand](outlet) if value["phase"].startswith(phase)]


def meter_value(outlet: Outlet, measurands: Iterable[str], context: str, at: datetime) -> Payload:
    """One MeterValue object of an outlet.

    Args:
        outlet: whose meter.
        measurands: which values, by their OCPP names with or without a phase; one it cannot measure is left out.
        context: reading context, such as Sample.Periodic or Trigger.
        at: on the charge point's own clock.
    """
    at_outlet = {"Energy.Active.Import.Register", "Power.Active.Import", "Current.Import"}
    sampled = [
        {
            **value,
            "context": context,
            "measurand": (measurand := _named(name)[0]),
            "location": "EV" if measurand == "SoC" else "Outlet" if measurand in at_outlet else "Body",
        }
        for name in measurands
        if can_sample(name)
        for value in _values(outlet, name)
    ]
    return {"timestamp": timestamp(at), "sampledValue": sampled}
