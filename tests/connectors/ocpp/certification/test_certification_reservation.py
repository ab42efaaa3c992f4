"""Connectors kept free for a driver, as our central system asks for them and keeps account of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from connectors.ocpp.operations import Answer, Outcome
from tests.connectors.ocpp.certification.stage import CP1, DRIVER, FAMILY, SISTER, Stage, clock_time, stage
from tests.fakes import EPOCH
from twin_core.models import events as e
from twin_core.models.authorisation import ReservationState

ASKED, ACCEPTED, REFUSED = ReservationState.ASKED, ReservationState.ACCEPTED, ReservationState.REFUSED
MINUTES_5 = EPOCH + timedelta(minutes=5)


async def reserve(s: Stage, connector: int = 1, tag: str = DRIVER, group: str | None = None) -> Answer:
    answer = await s.reservations.reserve(CP1, connector, tag, MINUTES_5, group)
    asked = {"connectorId": connector, "idTag": tag, "expiryDate": clock_time(300), "reservationId": answer.number}
    assert s.asked("ReserveNow") == [asked if group is None else {**asked, "parentIdTag": group}]
    return answer


async def held(s: Stage) -> list[int]:
    return [kept.reservation_id for kept in await s.reservations.open(CP1)]


async def test_tc_046_reservation_used() -> None:
    """A connector is reserved, and the session of that driver uses the reservation up."""
    async with stage() as s:
        number = (await reserve(s)).number
        await s.status("Reserved")
        assert await held(s) == [number]
        transaction = await s.charges(reservationId=number)
        assert (s.running(), await held(s)) == ([transaction], [])
        assert s.reserved() == [ASKED, ACCEPTED, ReservationState.USED]


async def test_tc_047_reservation_expires() -> None:
    """A reservation whose time is over is no longer held, also before the charger says that the connector is free."""
    async with stage() as s:
        await reserve(s)
        await s.status("Reserved")
        await asyncio.sleep(301)
        assert await held(s) == []
        await s.status("Available")
        assert (s.reserved()[-1], s.statuses()) == (ReservationState.EXPIRED, ["Reserved", "Available"])


async def refused(status: str) -> None:
    async with stage(ReserveNow={"status": status}) as s:
        if status == "Occupied":
            await s.status("Preparing")
        if status == "Unavailable":
            assert (await s.operations.set_available(CP1, 1, available=False)).outcome is Outcome.DONE
            assert s.asked("ChangeAvailability") == [{"connectorId": 1, "type": "Inoperative"}]
            await s.status("Unavailable")
        answer = await reserve(s)
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, status)
        assert (s.reserved(), await held(s)) == ([ASKED, REFUSED], [])


async def test_tc_048_1_reservation_of_a_faulted_connector() -> None:
    """A reservation refused as Faulted is not held."""
    await refused("Faulted")


async def test_tc_048_2_reservation_of_an_occupied_connector() -> None:
    """A reservation refused as Occupied is not held."""
    await refused("Occupied")


async def test_tc_048_3_reservation_of_an_unavailable_connector() -> None:
    """A connector that the operator took out of service cannot be reserved, and the reservation is not held."""
    await refused("Unavailable")


async def test_tc_048_4_reservation_rejected() -> None:
    """A reservation refused as Rejected is not held."""
    await refused("Rejected")


async def test_tc_049_reservation_of_the_charge_point() -> None:
    """Any connector of a charge point is reserved by number 0, and one session uses the reservation up."""
    async with stage() as s:
        number = (await reserve(s, connector=0)).number
        await s.status("Reserved")
        assert await held(s) == [number]
        await s.charges(connectorId=2, reservationId=number)
        assert (await held(s), s.reserved()[-1]) == ([], ReservationState.USED)


async def test_tc_051_reservation_cancelled() -> None:
    """A reservation is cancelled by its number, and the connector comes free."""
    async with stage() as s:
        number = (await reserve(s)).number
        assert number is not None
        await s.status("Reserved")
        assert (await s.reservations.cancel(CP1, number)).outcome is Outcome.DONE
        assert s.asked("CancelReservation") == [{"reservationId": number}]
        await s.status("Available")
        assert (await held(s), s.reserved()[-1]) == ([], ReservationState.CANCELLED)


async def test_tc_052_cancellation_rejected() -> None:
    """A rejected cancellation is told as such; by the standard the charger then holds no such reservation."""
    async with stage(CancelReservation={"status": "Rejected"}) as s:
        number = (await reserve(s)).number
        assert number is not None
        answer = await s.reservations.cancel(CP1, number)
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "Rejected")
        assert await held(s) == []


async def test_tc_053_reservation_used_by_another_of_the_group() -> None:
    """A reservation names the group of its tag, and another tag of that group uses it up."""
    async with stage() as s:
        number = (await reserve(s, tag=SISTER, group=FAMILY)).number
        await s.status("Reserved")
        transaction = await s.charges(FAMILY, reservationId=number)
        (begun,) = s.of(e.TransactionStarted)
        assert (begun.transaction_id, begun.id_tag) == (transaction, FAMILY)
        assert (await held(s), s.reserved()[-1]) == ([], ReservationState.USED)
