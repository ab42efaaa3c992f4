"""A composite schedule as GetCompositeSchedule.conf states it, OCPP 1.6 §5.7."""

from __future__ import annotations

import math

from simulators.composite import Step, composite
from simulators.profile_store import MAX_PERIODS
from simulators.sampling import timestamp
from simulators.station import Station
from simulators.wire import Payload
from twin_core.models.charger import RateUnit
from twin_core.models.quantities import NOMINAL_VOLTAGE_V, quantise_down

MAX_DURATION_S = 7 * 86_400
"""A longer schedule is cut to this."""


def schedule_report(station: Station, number: int, duration_s: float, unit: RateUnit) -> Payload | None:
    """What a connector, or the whole charge point for 0, may take from now on; None for a connector there is not.

    Limits are rounded down, and never say more than the hardware and the cable allow. Where a schedule has more periods
    than may be told, its duration ends with the last one told: nothing is claimed about what was left out.

    Args:
        station: advanced to this moment.
        number: of the connector.
        duration_s: as asked for.
        unit: of the limits in the answer.
    """
    if number != 0 and number not in station.outlets:
        return None
    begin_s, scene = station.own_s, station.scene(number)
    duration_s = max(0.0, min(duration_s, MAX_DURATION_S))
    ceiling_a = station.outlets[number].most_a if number else station.spec.supply_max_a
    end_s = max(begin_s + duration_s, math.nextafter(begin_s, math.inf))
    periods: list[Payload] = []
    for step in composite(station.profiles.profiles, begin_s, end_s, scene):
        told = _period(step, begin_s, ceiling_a, unit, scene.n_phases)
        if periods and told["startPeriod"] == periods[-1]["startPeriod"]:
            periods.pop()
        if not periods or _differs(told, periods[-1]):
            periods.append(told)
    if len(periods) > MAX_PERIODS:
        duration_s = periods[MAX_PERIODS]["startPeriod"]
    return {
        "status": "Accepted",
        "connectorId": number,
        "scheduleStart": timestamp(station.own_time),
        "chargingSchedule": {
            "duration": int(duration_s),
            "startSchedule": timestamp(station.own_time),
            "chargingRateUnit": unit.value,
            "chargingSchedulePeriod": periods[:MAX_PERIODS],
        },
    }


def _differs(one: Payload, other: Payload) -> bool:
    return (one["limit"], one["numberPhases"]) != (other["limit"], other["numberPhases"])


def _period(step: Step, begin_s: float, ceiling_a: float, unit: RateUnit, installed: int) -> Payload:
    limit_a = ceiling_a if step.limit_a is None else min(step.limit_a, ceiling_a)
    n_phases = installed if step.n_phases is None else min(step.n_phases, installed)
    limit = limit_a if unit is RateUnit.AMPERE else limit_a * n_phases * NOMINAL_VOLTAGE_V
    return {
        "startPeriod": int(step.start_s - begin_s),
        "limit": quantise_down(limit, 0.1),
        "numberPhases": n_phases,
    }
