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
    return [{"value": f"{power_kw(outlet.current_a, outlet.n_phases) * 1000:.0f}", "unit": "W"}]


def _current(outlet: Outlet) -> _Values:
    """One value for each phase of the connector, in the charger's own order L1, L2, L3."""
    installed = len(outlet.spec.phases)
    values = [outlet.current_a if k < outlet.n_phases else 0.0 for k in range(installed)]
    return [{"value": f"{a:.2f}", "unit": "A", "phase": name} for a, name in zip(values, _PHASES, strict=False)]


def _offered(outlet: Outlet) -> _Values:
    return [{"value": f"{outlet.offered_a:.1f}", "unit": "A"}]


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
    "Voltage": _voltage,
    "SoC": _soc,
}


def meter_value(outlet: Outlet, measurands: Iterable[str], context: str, at: datetime) -> Payload:
    """One MeterValue object of an outlet.

    Args:
        outlet: whose meter.
        measurands: which values, by their OCPP names; one it cannot measure is left out.
        context: reading context, such as Sample.Periodic or Trigger.
        at: on the charge point's own clock.
    """
    location = {"Energy.Active.Import.Register", "Power.Active.Import", "Current.Import"}
    sampled = [
        {
            **value,
            "context": context,
            "measurand": measurand,
            "location": "EV" if measurand == "SoC" else "Outlet" if measurand in location else "Body",
        }
        for measurand in measurands
        if measurand in _SAMPLERS
        for value in _SAMPLERS[measurand](outlet)
    ]
    return {"timestamp": timestamp(at), "sampledValue": sampled}
