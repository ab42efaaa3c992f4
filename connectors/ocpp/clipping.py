"""Limits that others left in a charger and that hold a vehicle below what it was granted.

Nothing is exceeded by them, and a low draw alone may be the vehicle's own wish. Only the composite schedule tells one
from the other: it is asked for once for every limit that goes unused. What is found is reported, and taken away only
where the settings allow it, since such a limit may be an installer's.
"""

from __future__ import annotations

from connectors.ocpp.answers import highest_limit
from connectors.ocpp.calls import Answered, CallTable
from connectors.ocpp.charger import Charger
from twin_core.models.charger import ProfilePurpose, RateUnit
from twin_core.models.ids import TransactionId
from twin_core.models.quantities import MINIMUM_CURRENT_A

UNUSED_A = 1.5
"""So far below its limit a draw leaves it unused."""

UNUSED_PART = 0.1

SETTLED_S = 20.0
"""After so long a limit is used by whoever wants it, and shows in a composite schedule."""

AHEAD_S = 10


class Clipping:
    """Looks for foreign limits over one link."""

    def __init__(self, charger: Charger, calls: CallTable) -> None:
        self._charger = charger
        self._calls = calls
        self._asked: dict[int, tuple[TransactionId, float]] = {}

    async def look(self) -> None:
        """Ask about each connector whose limit goes unused, once a limit."""
        for number in self._charger.connectors:
            transaction = self._charger.transactions.get(number)
            limit_a, _ = self._charger.in_force.get(number, (0.0, 0.0))
            if transaction is None or not self._unused(number) or self._asked.get(number) == (transaction, limit_a):
                continue
            self._asked[number] = (transaction, limit_a)
            await self._ask(number, limit_a)

    def _unused(self, number: int) -> bool:
        limit_a, since_s = self._charger.in_force.get(number, (0.0, 0.0))
        drawn_a = self._charger.drawn_a.get(number)
        if drawn_a is None or limit_a < MINIMUM_CURRENT_A or self._charger.memory.fragile("GetCompositeSchedule"):
            return False
        now_s = self._charger.around.clock.now().monotonic_s
        return now_s >= since_s + SETTLED_S and drawn_a < limit_a - max(UNUSED_A, UNUSED_PART * limit_a)

    async def _ask(self, number: int, limit_a: float) -> None:
        charger, unit = self._charger, self._charger.memory.unit
        ask = {"connectorId": number, "duration": AHEAD_S, "chargingRateUnit": unit.value}
        answer = await self._calls.call("GetCompositeSchedule", ask)
        said, said_in = highest_limit(answer.payload) if isinstance(answer, Answered) else (None, unit)
        told = limit_a / max(1.0, charger.memory.gain)
        if unit is RateUnit.WATT:
            told, _ = charger.told_w.get(number, (0.0, 0.0))
        # A charger's own steps are no foreign limit, nor is one that another unit makes hard to compare.
        if said is None or said_in is not unit or said >= told * (1.0 - UNUSED_PART):
            return
        words = f"connector {number}: its schedule says {said:g} {unit.value} where {told:g} were granted"
        charger.refuse("foreign-limit", words)
        if charger.settings.clear_foreign_limits:
            await self._clear(number)

    async def _clear(self, number: int) -> None:
        """Take away what can lie above a grant; our own is said again by the boot order that follows."""
        memory = self._charger.memory
        if memory.fallback_purpose is not ProfilePurpose.CHARGE_POINT_MAX:
            await self._calls.call("ClearChargingProfile", _all_of(0, ProfilePurpose.CHARGE_POINT_MAX))
        await self._calls.call("ClearChargingProfile", _all_of(number, memory.purposes[0]))
        self._charger.boot_answered.set()


def _all_of(connector: int, purpose: ProfilePurpose) -> dict[str, object]:
    return {"connectorId": connector, "chargingProfilePurpose": purpose.value}
