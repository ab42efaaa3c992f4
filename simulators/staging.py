"""Lets the events of a scenario happen to its charge points."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import assert_never

from simulators.charge_point import ChargePoint
from simulators.events import EmergencyStop, Event, Fault, Offline, PowerLoss, Restart, Swipe, Unplugged
from simulators.pilot import PilotFault
from simulators.vehicle import Vehicle
from twin_core.models.ids import ChargerId, ConnectorId, IdTag

Staying = Callable[[ConnectorId], IdTag | None]
"""Tag of the driver whose vehicle is to be at a connector now; None when none is."""


async def happen(
    event: Event,
    charge_points: Mapping[ChargerId, ChargePoint],
    until: Callable[[float], Awaitable[None]],
    staying: Staying,
) -> None:
    """Wait for an event, let it happen, and take it back when it is over.

    Args:
        event: of the scenario.
        charge_points: of the depot; the one it befalls is among them.
        until: waits for a second of the run.
        staying: who is to be where.
    """
    point = charge_points[ChargerId(event.charger)]
    await until(event.at_min * 60)
    match event:
        case Swipe():
            await point.swipe(event.connector, IdTag(event.id_tag))
        case Restart():
            point.controller.reset("Reboot")
        case Fault() | EmergencyStop() | PowerLoss() | Offline():
            _begin(event, point)
            if event.until_min is not None:
                await until(event.until_min * 60)
                _end(event, point)
        case Unplugged():
            vehicle = point.unplug(event.connector)
            if event.until_min is not None and vehicle is not None:
                await until(event.until_min * 60)
                await _plug_again(point, ConnectorId(point.spec.id, event.connector), vehicle, staying)
        case _:
            assert_never(event)


def _begin(event: Fault | EmergencyStop | PowerLoss | Offline, point: ChargePoint) -> None:
    match event:
        case Fault():
            point.break_connector(event.connector, event.fault)
        case EmergencyStop():
            point.controller.sessions.stop_all("EmergencyStop")
            for number in point.controller.station.outlets:
                point.break_connector(number, PilotFault.EMERGENCY)
        case PowerLoss():
            point.cut_power()
        case Offline():
            point.lose_network()
        case _:
            assert_never(event)


def _end(event: Fault | EmergencyStop | PowerLoss | Offline, point: ChargePoint) -> None:
    match event:
        case Fault():
            point.mend_connector(event.connector, event.fault)
        case EmergencyStop():
            for number in point.controller.station.outlets:
                point.mend_connector(number, PilotFault.EMERGENCY)
        case PowerLoss():
            point.return_power()
        case Offline():
            point.in_reach = True
        case _:
            assert_never(event)


async def _plug_again(point: ChargePoint, connector: ConnectorId, vehicle: Vehicle, staying: Staying) -> None:
    tag = staying(connector)
    if tag is not None and point.controller.station.outlets[connector.number].vehicle is None:
        await point.plug(connector.number, vehicle, tag)
