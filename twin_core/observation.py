"""What a sample tells about the vehicle behind a connector."""

from __future__ import annotations

from dataclasses import replace

from twin_core.models.charger import ConnectorReading
from twin_core.models.quantities import Instant, Phase
from twin_core.models.session import Session

FOLLOWING_A = 1.0
"""Current above which a phase counts as used by a vehicle."""

STANDBY_KW = 0.1
"""A vehicle that draws less is not charging."""


def observed(session: Session, reading: ConnectorReading, at: Instant) -> Session:
    """The session with what a sample shows: which phases its vehicle uses, how much it takes, and that it charges."""
    phases, peak_a = session.phases, session.peak_current_a
    if reading.current_a is not None:
        used = tuple(phase for phase in Phase if reading.current_a[phase] > FOLLOWING_A)
        if used and (phases is None or len(used) > len(phases)):
            phases = used
        peak_a = max(peak_a or 0.0, *reading.current_a)
    charging = _charging(reading)
    return replace(
        session,
        phases=phases,
        peak_current_a=peak_a,
        soc=reading.soc if reading.soc is not None else session.soc,
        charged=at if charging else session.charged,
        running_since=(session.running_since or at) if charging else None,
    )


def _charging(reading: ConnectorReading) -> bool:
    if reading.power_kw is not None:
        return reading.power_kw > STANDBY_KW
    return reading.current_a is not None and max(reading.current_a) > FOLLOWING_A
