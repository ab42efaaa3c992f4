"""A cable that is unplugged at the vehicle: what becomes of the transaction, the cable and the connector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from simulators.pilot import Cable, PilotFault
from tests.simulators.chargers import car
from tests.simulators.fake_central import settle
from tests.simulators.key_world import ACCEPTED, TAG, World, world
from twin_core.models.ids import IdTag

STRANGER = IdTag("STRANGER")


@asynccontextmanager
async def unplugged(**settings: str) -> AsyncIterator[World]:
    """A vehicle with a cable of its own charged for 10 s, and was unplugged at its end of the cable."""
    async with world() as here:
        await here.set(**settings)
        await here.plug(car(cable=Cable.A32))
        here.point.unplug(1)
        await settle()
        yield here


async def test_a_transaction_that_is_not_ended_by_it_goes_on_with_whoever_is_plugged_in() -> None:
    async with unplugged(StopTransactionOnEVSideDisconnect="false") as here:
        assert (here.statuses()[-1], here.point.grid_currents()[0]) == ("SuspendedEV", 0.0)
        before = len(here.central.of("MeterValues"))
        await settle(100)
        assert len(here.central.of("MeterValues")) == before + 10
        assert await here.plug(tag=STRANGER)
        assert here.statuses()[-1] == "Charging"
        assert here.point.grid_currents()[0] == 32.0
        assert [p["idTag"] for p in here.central.of("StartTransaction")] == [TAG]
        assert len(here.central.of("Authorize")) == 1


async def test_it_is_ended_by_its_tag_and_no_other_which_frees_the_cable() -> None:
    async with unplugged(StopTransactionOnEVSideDisconnect="false") as here:
        assert not await here.point.swipe(1, STRANGER)
        assert await here.point.swipe(1, TAG)
        await settle()
        (stop,) = here.central.of("StopTransaction")
        assert (stop["reason"], stop["idTag"]) == ("Local", TAG)
        assert here.statuses()[-1] == "Available"


async def test_or_from_afar() -> None:
    async with unplugged(StopTransactionOnEVSideDisconnect="false") as here:
        assert await here.call("RemoteStopTransaction", transactionId=501) == ACCEPTED
        await settle()
        assert here.stop_reasons() == ["Remote"]
        assert here.statuses()[-1] == "Available"


async def test_a_supply_is_not_kept_for_a_vehicle_that_is_gone() -> None:
    async with world(connectors=2) as here:
        await here.set(StopTransactionOnEVSideDisconnect="false")
        for number in (1, 2):
            await here.point.plug(number, car(seed=number), TAG)
        await settle(10)
        assert [o.offered_a for o in here.point.controller.station.outlets.values()] == [16.0, 16.0]
        here.point.unplug(1)
        await settle(10)
        assert [o.offered_a for o in here.point.controller.station.outlets.values()] == [0.0, 32.0]


async def test_a_cable_that_stays_locked_keeps_everybody_else_away_until_its_tag_is_shown() -> None:
    async with unplugged(UnlockConnectorOnEVSideDisconnect="false") as here:
        assert here.stop_reasons() == ["EVDisconnected"]
        assert here.statuses()[-1] == "Finishing"
        assert await here.call("RemoteStartTransaction", idTag="FAR") == {"status": "Rejected"}
        assert not await here.point.swipe(1, STRANGER)
        assert await here.point.swipe(1, TAG)
        await settle()
        assert here.statuses()[-1] == "Available"
        assert len(here.central.of("StartTransaction")) == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "EVDisconnected"),
        ({"UnlockConnectorOnEVSideDisconnect": "false"}, "EVDisconnected"),
        ({"StopTransactionOnEVSideDisconnect": "false"}, "Local"),
        ({"StopTransactionOnEVSideDisconnect": "false", "UnlockConnectorOnEVSideDisconnect": "false"}, "Local"),
    ],
)
async def test_a_driver_who_leaves_takes_everything_along(settings: dict[str, str], reason: str) -> None:
    async with world() as here:
        await here.set(**settings)
        await here.plug(car(cable=Cable.A32))
        await here.point.leave(1, TAG)
        await settle()
        assert here.stop_reasons() == [reason]
        assert here.statuses()[-1] == "Available"
        assert len(here.central.of("StartTransaction")) == 1


async def test_a_driver_whose_tag_was_refused_takes_the_cable_along() -> None:
    async with world() as here:
        await here.set(UnlockConnectorOnEVSideDisconnect="false")
        here.central.answers["Authorize"] = lambda _c, _p: {"idTagInfo": {"status": "Blocked"}}
        await here.plug(car(cable=Cable.A32))
        await here.point.leave(1, TAG)
        await settle()
        assert here.statuses()[-1] == "Available"


async def test_an_unlock_command_frees_it_too() -> None:
    async with unplugged(UnlockConnectorOnEVSideDisconnect="false") as here:
        assert await here.call("UnlockConnector", connectorId=1) == {"status": "Unlocked"}
        await settle()
        assert here.statuses()[-1] == "Available"


async def test_a_cable_of_the_charger_itself_is_never_locked() -> None:
    async with world() as here:
        await here.set(UnlockConnectorOnEVSideDisconnect="false")
        await here.plug()
        here.point.unplug(1)
        await settle()
        assert here.statuses()[-1] == "Available"


@pytest.mark.parametrize(("stops", "reasons"), [("true", ["PowerLoss"]), ("false", [])])
async def test_a_vehicle_that_is_unplugged_in_the_dark_ends_its_transaction_or_not_as_configured(
    stops: str, reasons: list[str]
) -> None:
    async with world() as here:
        await here.set(StopTransactionOnEVSideDisconnect=stops)
        await here.plug()
        here.point.cut_power()
        here.point.unplug(1)
        here.point.return_power()
        await settle(60)
        assert here.stop_reasons() == reasons
        assert here.statuses()[-1] == ("SuspendedEV" if stops == "false" else "Available")


# What must not begin --------------------------------------------------------------------------------------------------


async def test_no_transaction_begins_where_the_power_went_while_the_tag_was_asked_for() -> None:
    async with world() as here:
        here.central.answers["Authorize"] = lambda _c, _p: None
        asking = here.plug()
        here.point.controller.machine.later("dark", 2.0, here.point.cut_power)
        assert not await asking
        here.point.return_power()
        await settle(60)
        assert here.central.of("StartTransaction") == []


async def test_no_transaction_begins_at_a_faulted_connector() -> None:
    async with world() as here:
        here.point.break_connector(1, PilotFault.HEAT)
        assert not await here.plug()
        assert await here.call("RemoteStartTransaction", idTag="FAR") == {"status": "Rejected"}
        here.point.mend_connector(1, PilotFault.HEAT)
        assert await here.point.swipe(1, TAG)


async def test_a_remote_start_is_not_carried_out_where_the_connector_went_out_of_service_meanwhile() -> None:
    async with world() as here:
        await here.call("RemoteStartTransaction", idTag="FAR")
        await here.call("ChangeAvailability", connectorId=1, type="Inoperative")
        assert not await here.plug()
        assert here.central.of("StartTransaction") == []
