"""Whether a charger keeps its limits, as its own samples show it. Pure.

A low draw alone proves nothing: the vehicle may take no more. What proves is a draw that was well above a limit when
that limit came, came down to it soon, and stood there for some samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twin_core.models.quantities import NOMINAL_VOLTAGE_V

ABOVE_A = 1.5
"""A draw so far above a lower limit must come down."""

BESIDE_A = 1.0
"""A draw so near a limit stands at it."""

FOLLOWED_S = 15.0
"""After so long a vehicle has followed a limit."""

ARRIVES_WITHIN_S = 120.0
"""A draw that comes down later did not follow the limit: a battery that fills takes less by itself."""

STANDS_FOR = 3
"""Samples in a row at the limit, as many as show that a charger draws a little more than it is told."""

ERRS_BY = 1.012
"""Draw over limit up to which it is the meter that errs ..."""

READS_TO_A = 0.1
"""... beside the rounding of what it reports."""

PHASES = 3


@dataclass(slots=True)
class _Descent:
    to_a: float
    since_s: float
    stood: int = 0
    late: bool = False


@dataclass(slots=True)
class Proof:
    """What one charger's connectors have shown so far."""

    _descents: dict[int, _Descent] = field(default_factory=dict)
    _phases: dict[int, int] = field(default_factory=dict)

    def told(self, connector: int, limit_a: float, drawn_a: float, now_s: float) -> None:
        """A limit goes out while so much is drawn; whether it will be answered does not matter."""
        descent = self._descents.get(connector)
        if descent is not None and descent.to_a == limit_a:
            return
        if limit_a > 0.0 and drawn_a >= limit_a + ABOVE_A:
            self._descents[connector] = _Descent(limit_a, now_s)
        else:
            self._descents.pop(connector, None)

    def refused(self, connector: int) -> None:
        """The limit that went out last was refused."""
        self._descents.pop(connector, None)

    def stands(self, connector: int, current_a: float, now_s: float, *, fresh: bool, exact: bool = True) -> bool:
        """Take in a draw per phase; whether the charger is proven by it.

        Args:
            connector: its number.
            current_a: in a sample that came now.
            now_s: monotonic seconds.
            fresh: whether the sample surely speaks of now. On a line that delays, a draw seen coming down in time did
                so in truth; one seen coming down late may have been late itself, and how late is learned by fresh
                samples alone.
            exact: whether it is a current that was reported; a power worked out from a register errs by more.
        """
        descent = self._descents.get(connector)
        if descent is None or now_s < descent.since_s + FOLLOWED_S:
            return False
        if descent.stood == 0 and now_s > descent.since_s + ARRIVES_WITHIN_S:
            return False
        most_a = descent.to_a * ERRS_BY + READS_TO_A / 2 if exact else descent.to_a + BESIDE_A
        stands = descent.to_a - BESIDE_A <= current_a <= most_a
        descent.late = descent.late or current_a > descent.to_a + BESIDE_A
        descent.stood = descent.stood + 1 if stands and (fresh or not descent.late) else 0
        return descent.stood >= STANDS_FOR

    def current_a(self, connector: int, power_kw: float, limit_a: float) -> float:
        """Current behind a power, where no current is reported.

        On as many phases as fit the limit that came last from below; a lower limit does not change that number, so that
        a power that stays the same does not pass for a current that came down.
        """
        if connector not in self._descents and limit_a > 0.0:
            n_phases = round(power_kw * 1000.0 / (NOMINAL_VOLTAGE_V * limit_a))
            self._phases[connector] = min(PHASES, max(1, n_phases))
        return power_kw * 1000.0 / (NOMINAL_VOLTAGE_V * self._phases.get(connector, 1))
