"""What a sample tells of the vehicle, and that it changes nothing else of the session."""

from __future__ import annotations

from dataclasses import fields, replace

from tests.fakes import instant
from tests.sites import connector_id
from twin_core.models.charger import ConnectorReading
from twin_core.models.ids import IdTag, SessionId, TransactionId
from twin_core.models.quantities import Phase
from twin_core.models.session import ChargingRequest, Session, Vehicle
from twin_core.observation import observed

SHOWN = {"soc", "phases", "peak_current_a", "charged", "running_since"}
"""All that a sample may show."""


def test_a_sample_leaves_the_rest_of_the_session_as_it_is() -> None:
    session = Session(
        id=SessionId("A:1"),
        connector_id=connector_id("A"),
        transaction_id=TransactionId(1),
        id_tag=IdTag("EV"),
        started=instant(1),
        started_at=instant(2).utc,
        meter_start_kwh=3.0,
        vehicle=Vehicle(IdTag("EV"), 80.0),
        request=ChargingRequest(20.0),
        energy_kwh=4.0,
        soc=0.5,
        phases=(Phase.L1,),
        peak_current_a=6.0,
        charged=instant(7),
        running_since=instant(8),
        stopped=instant(9),
        stop_reason="Local",
    )
    seen = observed(session, ConnectorReading(current_a=(10.0, 10.0, 0.0), soc=0.6), instant(20))
    changed = {field.name for field in fields(Session) if getattr(seen, field.name) != getattr(session, field.name)}
    assert changed == SHOWN - {"running_since"}
    assert observed(session, ConnectorReading(), instant(20)) == replace(session, running_since=None)
    assert all(getattr(session, field.name) for field in fields(Session)), "name every field above, none at nothing"
