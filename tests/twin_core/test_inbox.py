"""Facts on their way to the twin."""

from __future__ import annotations

from tests.fakes import instant
from tests.sites import connector_id
from twin_core.inbox import Inbox
from twin_core.models import events as ev
from twin_core.models.charger import ConnectorReading, ConnectorStatus
from twin_core.models.ids import ChargerId

A = connector_id("A")


def reading(at: float) -> ev.ConnectorMetered:
    return ev.ConnectorMetered(at=instant(at), connector_id=A, reading=ConnectorReading(power_kw=at))


def test_the_newest_reading_of_a_meter_wins_and_the_loss_is_counted() -> None:
    inbox = Inbox(lambda: None)
    for at in range(3):
        inbox.put(reading(at))
    assert inbox.drain() == [reading(2)]
    assert inbox.replaced == {"ConnectorMetered": 2}


def test_other_facts_are_kept_all_and_in_order() -> None:
    inbox = Inbox(lambda: None, capacity=1)
    facts = [
        ev.ChargerConnected(at=instant(), charger_id=ChargerId("A")),
        ev.ConnectorStatusReported(at=instant(1), connector_id=A, status=ConnectorStatus.CHARGING),
        ev.ChargerDisconnected(at=instant(2), charger_id=ChargerId("A")),
    ]
    for fact in facts:
        inbox.put(fact)
    assert inbox.drain() == facts
    assert inbox.drain() == []


def test_only_refusals_are_dropped_when_the_queue_is_full() -> None:
    woken: list[int] = []
    inbox = Inbox(lambda: woken.append(1), capacity=1)
    inbox.put(ev.ChargerConnected(at=instant(), charger_id=ChargerId("A")))
    inbox.put(ev.InputRefused(at=instant(), source="A", cause="flood"))
    assert len(inbox) == 1
    assert inbox.dropped == {"InputRefused": 1}
    assert len(woken) == 1
