"""What a restart must know: open sessions, grants that may still be in force, fallbacks read back, limits in force.

The monotonic clock of an earlier run means nothing in this one, and the wall clock may have been set in between. So a
grant is dropped only when the clock of the run that sent it proves that it ended; every other grant counts for its
whole lease again, from the restart on. That is at most one lease of caution after a restart.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from connectors.store.codec import decode_event
from connectors.store.database import Store
from connectors.store.ledger import SETTLE_S
from connectors.store.schema import from_microseconds, microseconds
from twin_core.models.charger import ConnectorReading
from twin_core.models.events import (
    ChargerAdopted,
    ChargerLearned,
    ConnectorMetered,
    Event,
    GatewayRestarted,
    LimitChanged,
    ModelLearned,
    RequestAnnounced,
    TransactionStarted,
)
from twin_core.models.grant import Grant
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, TransactionId
from twin_core.models.quantities import Instant
from twin_core.models.upkeep import FirmwareStatusReported, LogStatusReported, SecurityEventReported, UpkeepReport

FactT = TypeVar(
    "FactT",
    RequestAnnounced,
    LimitChanged,
    ChargerAdopted,
    ChargerLearned,
    ModelLearned,
    FirmwareStatusReported,
    LogStatusReported,
    SecurityEventReported,
)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A transaction that started and did not stop.

    Attributes:
        metered: last register and state of charge it reported, without power or current; None when it reported none.
    """

    started: TransactionStarted
    metered: ConnectorMetered | None = None

    @property
    def delivered_kwh(self) -> float:
        """Energy delivered as far as the journal knows."""
        register = self.metered.reading.energy_kwh if self.metered is not None else None
        return 0.0 if register is None else max(0.0, register - self.started.meter_start_kwh)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was durable before the restart, stated on the clock of this run.

    Attributes:
        grants: may be in force; issued "at the restart", see the module.
        requests: the latest for each connector or tag whose session has not ended.
        limits: the latest set from outside for each node.
        adopted: chargers that no site file names.
        learned: what was found out about chargers' ways.
        models: what they taught of their models.
        upkeep: how far updates and uploads came, and security events; the newest of each charger.
    """

    at: Instant
    sessions: tuple[OpenSession, ...]
    grants: tuple[Grant, ...]
    confirmed_fallbacks: dict[ConnectorId, float]
    requests: tuple[RequestAnnounced, ...]
    limits: tuple[LimitChanged, ...]
    adopted: tuple[ChargerAdopted, ...]
    learned: tuple[ChargerLearned, ...] = ()
    models: tuple[ModelLearned, ...] = ()
    upkeep: tuple[UpkeepReport, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True for a depot that never ran before."""
        return not (self.sessions or self.grants or self.confirmed_fallbacks or self.requests or self.limits)

    def events(self) -> tuple[Event, ...]:
        """The facts to feed to the twin, in this order, before anything else happens."""
        restarted = GatewayRestarted(at=self.at, grants=self.grants, confirmed_fallbacks=self.confirmed_fallbacks)
        return (
            *self.adopted,
            *self.learned,
            *self.limits,
            restarted,
            *(session.started for session in self.sessions),
            *(session.metered for session in self.sessions if session.metered is not None),
            *self.requests,
        )


async def recover(store: Store, now: Instant) -> Recovery:
    """Read what earlier runs left, and make their grants grants of this run, so that the next restart finds them too.

    Raises:
        StorageError: the disk refused, or a row is damaged.
    """
    return await store.transact(partial(_recover, run=store.run, now=now))


def _recover(connection: sqlite3.Connection, run: int, now: Instant) -> Recovery:
    return Recovery(
        at=now,
        sessions=_open_sessions(connection, now),
        grants=_take_over_grants(connection, run, now),
        confirmed_fallbacks=_confirmed_fallbacks(connection),
        requests=tuple(_facts(connection, "request", RequestAnnounced, now)),
        limits=tuple(_facts(connection, "limit", LimitChanged, now)),
        adopted=tuple(_facts(connection, "adopted", ChargerAdopted, now)),
        learned=tuple(_facts(connection, "learned", ChargerLearned, now)),
        models=tuple(_facts(connection, "model", ModelLearned, now)),
        upkeep=(
            *_facts(connection, "firmware_status", FirmwareStatusReported, now),
            *_facts(connection, "log_status", LogStatusReported, now),
            *_facts(connection, "security_event", SecurityEventReported, now),
        ),
    )


def _on_this_clock(utc_us: int, now: Instant) -> Instant:
    """A moment of an earlier run on the clock of this one; never in the future."""
    return now.later(-max(0.0, (microseconds(now.utc) - utc_us) / 1e6))


def _open_sessions(connection: sqlite3.Connection, now: Instant) -> tuple[OpenSession, ...]:
    """The newest open transaction of each connector; an older one there was left behind by a charger that lost it."""
    rows = connection.execute(
        "SELECT charger, connector, id, id_tag, meter_start_kwh, started_us, learned_us, register_kwh, soc, metered_us"
        " FROM transactions WHERE stopped_us IS NULL ORDER BY seq"
    )
    sessions: dict[ConnectorId, OpenSession] = {}
    for charger, number, transaction, tag, meter_start, started_us, learned_us, register, soc, metered_us in rows:
        connector = ConnectorId(ChargerId(charger), number)
        started = TransactionStarted(
            at=_on_this_clock(learned_us, now),
            connector_id=connector,
            transaction_id=TransactionId(transaction),
            id_tag=IdTag(tag),
            meter_start_kwh=meter_start,
            started_at=from_microseconds(started_us),
        )
        metered = metered_us and ConnectorMetered(
            at=_on_this_clock(metered_us, now),
            connector_id=connector,
            reading=ConnectorReading(energy_kwh=register, soc=soc),
            transaction_id=TransactionId(transaction),
        )
        sessions.pop(connector, None)
        sessions[connector] = OpenSession(started, metered or None)
    return tuple(sessions.values())


def _take_over_grants(connection: sqlite3.Connection, run: int, now: Instant) -> tuple[Grant, ...]:
    connection.execute(
        "UPDATE grants SET live = 0 FROM runs WHERE grants.live = 1 AND grants.run <> ? AND runs.id = grants.run"
        " AND (issued_s + lease_s + ? < last_monotonic_s OR superseded_s + ? < last_monotonic_s)",
        (run, SETTLE_S, SETTLE_S),
    )
    connection.execute(
        "UPDATE grants SET run = ?, issued_s = ?, issued_us = ?, superseded_s = NULL, restored = 1"
        " WHERE live = 1 AND run <> ?",
        (run, now.monotonic_s, microseconds(now.utc), run),
    )
    rows = connection.execute(
        "SELECT charger, connector, seq, limit_a, issued_s, lease_s FROM grants"
        " WHERE live = 1 AND restored = 1 ORDER BY id"
    )
    return tuple(
        Grant(
            connector_id=ConnectorId(ChargerId(charger), number),
            seq=seq,
            limit_a=limit_a,
            issued=now.later(issued_s - now.monotonic_s),
            lease_s=lease_s,
        )
        for charger, number, seq, limit_a, issued_s, lease_s in rows
    )


def _confirmed_fallbacks(connection: sqlite3.Connection) -> dict[ConnectorId, float]:
    rows = connection.execute("SELECT charger, connector, fallback_a FROM fallbacks ORDER BY charger, connector")
    return {ConnectorId(ChargerId(charger), number): fallback_a for charger, number, fallback_a in rows}


def _facts(connection: sqlite3.Connection, topic: str, kind: type[FactT], now: Instant) -> list[FactT]:
    rows = connection.execute("SELECT utc_us, body FROM facts WHERE topic = ? ORDER BY utc_us, name", (topic,))
    events = [(utc_us, decode_event(body)) for utc_us, body in rows]
    return [replace(event, at=_on_this_clock(utc_us, now)) for utc_us, event in events if isinstance(event, kind)]
