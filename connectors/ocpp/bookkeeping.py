"""Transactions that charger and ledger see differently, brought into line a while after anybody could still explain.

A transaction the ledger has never heard of is taken over where the connector says that it charges; an open one whose
connector says for a minute that it is free is closed. A charger whose clock is off gets no schedules that end by it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from datetime import timedelta

from connectors.ocpp.charger import Charger
from connectors.ocpp.own_clock import STEADY_S
from twin_core.errors import StorageError
from twin_core.models.charger import Aspect, ConnectorStatus
from twin_core.models.events import TransactionStarted, TransactionStopped
from twin_core.models.ids import IdTag
from twin_core.ports import TransactionStart, TransactionStop

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
FREE_FOR_S = 60.0
LAG_S = 120.0
"""On a bad line reports may lie so far behind by themselves; only what seems further behind is surely the clock."""

ASLEEP_S = 180.0
"""A vehicle that takes nothing for so long after a pause sleeps; slow chargers resume within two minutes."""

MOST_WAKES = 3

AT_WORK_S = 30.0
"""By then everything that a limit in force is judged by was looked at."""

DRAWING_A = 1.0

SEEN_OFTEN = 2
"""Meter samples that must name an unknown transaction before it is taken over."""

CHARGING = frozenset({ConnectorStatus.CHARGING, ConnectorStatus.SUSPENDED_EV, ConnectorStatus.SUSPENDED_EVSE})


class Bookkeeping:
    """Keeps one charger's books over one link.

    Args:
        written: told of what was written here, before anything more is said of that transaction; StorageError from it
            has it written again.
    """

    def __init__(self, charger: Charger, written: Callable[[], Awaitable[None]]) -> None:
        self._charger = charger
        self._written = written

    async def look(self) -> None:
        """Bring into line what is due."""
        try:
            for number in self._charger.connectors:
                await self._adopt(number)
                await self._close(number)
        except StorageError as exc:
            self._charger.refuse("storage", str(exc))
        for number in self._charger.connectors:
            self._wake(number)
        self._judge_clock()
        self._charger.tell_learned()

    def are_unsettled(self) -> bool:
        """Whether something may fall due here before anything else is heard of the charger."""
        charger, now_s = self._charger, self._charger.around.clock.now().monotonic_s
        if charger.strangers or charger.own_clock.is_settling(now_s):
            return True
        return any(self._is_unsettled(number, now_s) for number in charger.transactions)

    def _is_unsettled(self, number: int, now_s: float) -> bool:
        """Whether a transaction is still to be closed, its vehicle to be woken, or its limit to be seen at work."""
        charger = self._charger
        status, _ = charger.status.get(number, (None, 0.0))
        limit_a, since_s = charger.in_force.get(number, (0.0, -math.inf))
        paused, woken = charger.paused.get(number, (None, MOST_WAKES))
        sleeps = paused == charger.transactions[number] and woken < MOST_WAKES and limit_a > 0.0
        return status is ConnectorStatus.AVAILABLE or sleeps or now_s < since_s + AT_WORK_S

    async def _adopt(self, number: int) -> None:
        charger, stranger = self._charger, self._charger.strangers.get(number)
        status, _ = charger.status.get(number, (None, 0.0))
        known = number in charger.transactions or stranger is None or stranger.transaction in charger.stopped
        if known or stranger is None or stranger.seen < SEEN_OFTEN or status not in CHARGING:
            return
        del charger.strangers[number]
        now = charger.around.clock.now()
        start = TransactionStart(charger.connector_id(number), IdTag(""), stranger.register_kwh or 0.0, stranger.since)
        if not await charger.around.ledger.adopt(stranger.transaction, start, now):
            charger.refuse("foreign-transaction", f"transaction {stranger.transaction} is another's, or over")
            return
        await self._written()
        charger.begin(number, stranger.transaction)
        charger.emit(
            TransactionStarted(
                at=now,
                connector_id=start.connector_id,
                transaction_id=stranger.transaction,
                id_tag=start.id_tag,
                meter_start_kwh=start.meter_start_kwh,
                started_at=start.started_at,
            )
        )
        logger.warning("transaction adopted", extra={"connector": str(start.connector_id)})

    async def _close(self, number: int) -> None:
        charger = self._charger
        status, since_s = charger.status.get(number, (None, 0.0))
        transaction = charger.transactions.get(number)
        now = charger.around.clock.now()
        if transaction is None or status is not ConnectorStatus.AVAILABLE or now.monotonic_s < since_s + FREE_FOR_S:
            return
        freed_at = now.utc - timedelta(seconds=now.monotonic_s - since_s)
        stop = TransactionStop(transaction, charger.spec.id, None, freed_at, "Other")
        connector = await charger.around.ledger.stop(stop, now)
        await self._written()
        charger.end(number, transaction)
        charger.refuse("never-stopped", f"transaction {transaction} of a connector that is free")
        if connector is not None:
            charger.emit(
                TransactionStopped(
                    at=now,
                    connector_id=connector,
                    transaction_id=transaction,
                    meter_stop_kwh=None,
                    stopped_at=freed_at,
                    reason="Other",
                )
            )

    def _wake(self, number: int) -> None:
        """Have the offer to a vehicle that sleeps on after a pause taken back for a moment and made again.

        One that has charged to its end was not paused before, so it is let alone.
        """
        charger = self._charger
        transaction, woken = charger.paused.get(number, (None, 0))
        limit_a, since_s = charger.in_force.get(number, (0.0, 0.0))
        now_s = charger.around.clock.now().monotonic_s
        if transaction is None or transaction != charger.transactions.get(number) or limit_a == 0.0:
            return
        if charger.drawn_a.get(number, 0.0) > DRAWING_A:
            del charger.paused[number]
        elif woken < MOST_WAKES and now_s >= since_s + ASLEEP_S * (woken + 1):
            charger.paused[number] = (transaction, woken + 1)
            charger.waking.add(number)
            charger.memory.sleepers += 1
            charger.note(Aspect.WAKE_UP, f"took nothing for {ASLEEP_S / 60:.0f} min after a pause", individual=True)
            logger.info("waking a vehicle", extra={"connector": str(charger.connector_id(number)), "time": woken + 1})

    def _judge_clock(self) -> None:
        charger, memory = self._charger, self._charger.memory
        lead_s = charger.own_clock.lead_s(charger.around.clock.now().monotonic_s)
        if lead_s is None:
            return
        tolerance_s = charger.settings.clock_tolerance_s
        clock_off = not -max(LAG_S, tolerance_s) <= lead_s <= tolerance_s
        # Whether the clock lags or the line does: a schedule written earlier by that much never ends late.
        behind_s = math.ceil(-lead_s) if lead_s < -tolerance_s and not clock_off else 0.0
        if clock_off == memory.clock_off and abs(behind_s - memory.behind_s) <= STEADY_S:
            return
        if clock_off or behind_s > memory.behind_s:
            charger.refuse("clock-off", f"its clock, or its line, is off by {lead_s:.0f} s")
        if clock_off != memory.clock_off:
            seen = f"its clock is off by {lead_s:.0f} s" if clock_off else "its clock is right again"
            charger.note(Aspect.CLOCK, seen, individual=True)
        memory.clock_off, memory.behind_s = clock_off, behind_s
        charger.boot_answered.set()  # the boot order is run again, now in schedules that fit its clock
