"""What a sample tells about the vehicle behind a connector."""

from __future__ import annotations

from twin_core.models.charger import ConnectorReading
from twin_core.models.quantities import ALL_PHASES, Instant
from twin_core.models.session import Session

FOLLOWING_A = 1.0
"""Current above which a phase counts as used by a vehicle."""

STANDBY_KW = 0.1
"""A vehicle that draws less is not charging."""


def observed(session: Session, reading: ConnectorReading, at: Instant) -> Session:
    """The session with what a sample shows: which phases its vehicle uses, how much it takes, and that it charges."""
    phases, peak_a = session.phases, session.peak_current_a
    if reading.current_a is not None:
        used = tuple(phase for phase in ALL_PHASES if reading.current_a[phase] > FOLLOWING_A)
        if used and (phases is None or len(used) > len(phases)):
            phases = used
        peak_a = max(peak_a or 0.0, *reading.current_a)
    charging = _charging(reading)
    # Written out, since `replace` takes three times as long, and this happens at every sample of every charger.
    return Session(
        session.id,
        session.connector_id,
        session.transaction_id,
        session.id_tag,
        session.started,
        session.started_at,
        session.meter_start_kwh,
        session.vehicle,
        session.request,
        energy_kwh=session.energy_kwh,
        soc=reading.soc if reading.soc is not None else session.soc,
        phases=phases,
        peak_current_a=peak_a,
        charged=at if charging else session.charged,
        running_since=(session.running_since or at) if charging else None,
        stopped=session.stopped,
        stop_reason=session.stop_reason,
    )


def _charging(reading: ConnectorReading) -> bool:
    if reading.power_kw is not None:
        return reading.power_kw > STANDBY_KW
    return reading.current_a is not None and max(reading.current_a) > FOLLOWING_A
