"""What the gateway of the OCPP benchmark counts as done: by charger, so that one twice is not two."""

from __future__ import annotations

from benchmarks.ocpp.gateway import TakenIn, charger_name
from tests.fakes import LoopClock
from twin_core.models import events as ev
from twin_core.models.charger import ChargerIdentity, ConnectorStatus
from twin_core.models.grant import GrantOutcome
from twin_core.models.ids import ConnectorId


async def test_a_charger_that_boots_twice_is_back_once_and_others_are_not_among_those_that_return() -> None:
    taken_in, at = TakenIn(), LoopClock().now()
    taken_in.begin(2)
    for number in (0, 0, 2, 3):
        taken_in.record(ev.ChargerBooted(at=at, charger_id=charger_name(number), identity=ChargerIdentity()))
        connector = ConnectorId(charger_name(number), 1)
        status = ConnectorStatus.AVAILABLE
        taken_in.record(ev.ConnectorStatusReported(at=at, connector_id=connector, status=status))
    assert [taken_in.returned(kind) for kind in taken_in.back] == [1, 1, 0]


async def test_setpoints_are_judged_of_the_others_only() -> None:
    taken_in, at = TakenIn(), LoopClock().now()
    taken_in.begin(2)
    for number in (0, 2):
        connector = ConnectorId(charger_name(number), 1)
        taken_in.record(ev.GrantAnswered(at=at, connector_id=connector, seq=1, outcome=GrantOutcome.REJECTED))
    assert taken_in.unclear == 1
