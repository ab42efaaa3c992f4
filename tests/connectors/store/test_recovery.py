"""After a restart the envelope knows at least what the chargers may still believe."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.store.database import Store
from connectors.store.projections import write_events
from connectors.store.recovery import Recovery, recover
from connectors.store.schema import JOURNAL_ID, JOURNAL_MIGRATIONS, connect
from tests.fakes import EPOCH, instant
from twin_core.models.charger import Aspect, ChargerSpec, ConnectorReading, ConnectorSpec, Evidence, Learned
from twin_core.models.events import (
    ChargerAdopted,
    ConnectorMetered,
    Event,
    FallbackConfirmed,
    FallbackRefused,
    GatewayRestarted,
    GrantAnswered,
    LimitChanged,
    ModelLearned,
    RequestAnnounced,
    Ticked,
    TransactionStarted,
    TransactionStopped,
)
from twin_core.models.grant import Grant, GrantOutcome
from twin_core.models.ids import ChargerId, ConnectorId, IdTag, NodeId, TransactionId
from twin_core.models.quantities import Instant
from twin_core.models.session import ChargingRequest
from twin_core.models.upkeep import FirmwareStatusReported, LogStatusReported, SecurityEventReported
from twin_core.ports import TransactionStart, TransactionStop

A1 = ConnectorId(ChargerId("A"), 1)
B1 = ConnectorId(ChargerId("B"), 1)
TAG = IdTag("TAG")

LATER = Instant(5.0, EPOCH + timedelta(hours=1))
"""The restart: an hour on, on a monotonic clock that began anew."""


class SetClock:
    """A clock that shows what it was set to."""

    def __init__(self, moment: Instant) -> None:
        self.moment = moment

    def now(self) -> Instant:
        return self.moment


class Life:
    """A store through several runs of a gateway; each run ends without any farewell to the chargers."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def run(
        self, *events: Event, grants: tuple[Grant, ...] = (), began: Instant | None = None
    ) -> TransactionId | None:
        async with Store(self.path, clock=SetClock(began or instant()), threaded=False) as store:
            if grants:
                await store.reserve(grants)
            for event in events:
                store.record(event)
        return None

    async def recover(self, now: Instant = LATER) -> Recovery:
        async with Store(self.path, clock=SetClock(now), threaded=False) as store:
            return await recover(store, now)


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path / "journal.db")


def grant(seq: int, limit_a: float = 16.0, at_s: float = 0.0, lease_s: float = 60.0) -> Grant:
    return Grant(A1, seq, limit_a, instant(at_s), lease_s)


def answer(seq: int, outcome: GrantOutcome, at_s: float) -> GrantAnswered:
    return GrantAnswered(at=instant(at_s), connector_id=A1, seq=seq, outcome=outcome)


def limits(recovery: Recovery) -> list[tuple[int, float]]:
    return [(g.seq, g.limit_a) for g in recovery.grants]


async def test_a_depot_that_never_ran_has_nothing_to_remember(life: Life) -> None:
    recovery = await life.recover()
    assert recovery.is_empty
    assert recovery.events() == (GatewayRestarted(at=LATER, grants=(), confirmed_fallbacks={}),)


async def test_a_grant_counts_its_whole_lease_again_from_the_restart(life: Life) -> None:
    """The wall clock may have been set meanwhile, so the hour that seems to have passed proves nothing."""
    await life.run(grants=(grant(1),))
    assert (await life.recover()).grants == (Grant(A1, 1, 16.0, LATER, 60.0),)


async def test_a_grant_whose_lease_ended_while_the_gateway_still_ran_is_over(life: Life) -> None:
    await life.run(Ticked(at=instant(200)), grants=(grant(1, at_s=0), grant(2, 10.0, at_s=190)))
    assert limits(await life.recover()) == [(2, 10.0)]


async def test_a_grant_without_lease_counts_until_a_newer_one_was_accepted(life: Life) -> None:
    forever = (grant(1, 32.0, lease_s=math.inf), grant(2, 10.0, at_s=5, lease_s=math.inf))
    await life.run(Ticked(at=instant(10_000)), grants=forever)
    assert limits(await life.recover()) == [(1, 32.0), (2, 10.0)]


async def test_a_newer_accepted_one_ends_even_a_grant_without_lease(life: Life) -> None:
    forever = (grant(1, 32.0, lease_s=math.inf), grant(2, 10.0, at_s=5, lease_s=math.inf))
    await life.run(answer(2, GrantOutcome.ACCEPTED, 6), Ticked(at=instant(10_000)), grants=forever)
    assert limits(await life.recover()) == [(2, 10.0)]


async def test_an_accepted_grant_ends_the_older_ones_once_the_vehicle_had_time_to_follow(life: Life) -> None:
    accepted = answer(2, GrantOutcome.ACCEPTED, at_s=6)
    await life.run(accepted, Ticked(at=instant(8)), grants=(grant(1, 32.0), grant(2, 10.0, at_s=5)))
    assert limits(await life.recover()) == [(1, 32.0), (2, 10.0)], "the vehicle may still be ramping down"


async def test_after_that_time_the_older_ones_are_over(life: Life) -> None:
    accepted = answer(2, GrantOutcome.ACCEPTED, at_s=6)
    await life.run(accepted, Ticked(at=instant(40)), grants=(grant(1, 32.0), grant(2, 10.0, at_s=5)))
    assert limits(await life.recover()) == [(2, 10.0)]


@pytest.mark.parametrize("outcome", [GrantOutcome.TIMED_OUT, GrantOutcome.FAILED, GrantOutcome.OFFLINE])
async def test_an_uncertain_answer_changes_nothing(life: Life, outcome: GrantOutcome) -> None:
    await life.run(answer(2, outcome, 6), Ticked(at=instant(40)), grants=(grant(1, 32.0), grant(2, 10.0, at_s=5)))
    assert limits(await life.recover()) == [(1, 32.0), (2, 10.0)]


async def test_a_rejected_grant_and_one_that_never_left_are_over(life: Life) -> None:
    await life.run(
        answer(2, GrantOutcome.REJECTED, 6),
        answer(3, GrantOutcome.UNSENT, 29),
        Ticked(at=instant(40)),
        grants=(grant(1, 32.0), grant(2, 10.0, at_s=5), grant(3, 20.0, at_s=28)),
    )
    assert limits(await life.recover()) == [(1, 32.0)]


async def test_an_answer_of_another_connector_ends_nothing(life: Life) -> None:
    foreign = replace(answer(2, GrantOutcome.ACCEPTED, 6), connector_id=B1)
    await life.run(foreign, Ticked(at=instant(40)), grants=(grant(1, 32.0),))
    assert limits(await life.recover()) == [(1, 32.0)]


async def test_a_gateway_that_crashes_again_and_again_forgets_no_grant(life: Life) -> None:
    await life.run(grants=(grant(1, 32.0),))
    for attempt in range(3):
        recovery = await life.recover(Instant(float(attempt), EPOCH - timedelta(days=attempt)))
        assert limits(recovery) == [(1, 32.0)]


async def test_the_first_accepted_grant_of_a_new_run_ends_those_taken_over(life: Life) -> None:
    await life.run(grants=(grant(7, 32.0),))
    async with Store(life.path, clock=SetClock(LATER), threaded=False) as store:
        await recover(store, LATER)
        await store.reserve([replace(grant(1, 6.0), issued=LATER.later(1))])
        store.record(GrantAnswered(at=LATER.later(2), connector_id=A1, seq=1, outcome=GrantOutcome.ACCEPTED))
        store.record(Ticked(at=LATER.later(40)))
    assert limits(await life.recover(instant(9))) == [(1, 6.0)]


async def start(life: Life, connector: ConnectorId = A1, meter_start_kwh: float = 100.0) -> TransactionId:
    async with Store(life.path, clock=SetClock(instant()), threaded=False) as store:
        transaction, _ = await store.start(TransactionStart(connector, TAG, meter_start_kwh, EPOCH), instant())
        return transaction


async def test_an_open_session_comes_back_with_what_it_got(life: Life) -> None:
    transaction = await start(life)
    reading = ConnectorReading(power_kw=7.0, current_a=(10.0, 10.0, 10.0), energy_kwh=104.5, soc=0.6)
    await life.run(ConnectorMetered(at=instant(60), connector_id=A1, reading=reading, transaction_id=transaction))
    recovery = await life.recover()
    (session,) = recovery.sessions
    assert session.delivered_kwh == pytest.approx(4.5)
    assert session.started == TransactionStarted(
        at=Instant(5.0 - 3600, EPOCH),
        connector_id=A1,
        transaction_id=transaction,
        id_tag=TAG,
        meter_start_kwh=100.0,
        started_at=EPOCH,
    )
    assert session.metered is not None
    assert session.metered.reading == ConnectorReading(energy_kwh=104.5, soc=0.6), "old power and current say nothing"
    assert session.metered.at.monotonic_s == pytest.approx(5.0 - 3540), "and it is as old as it is"


async def test_a_reading_without_a_register_does_not_wipe_out_an_older_one(life: Life) -> None:
    transaction = await start(life)
    for reading in (ConnectorReading(energy_kwh=104.5), ConnectorReading(soc=0.7), ConnectorReading(power_kw=1.0)):
        await life.run(ConnectorMetered(at=instant(60), connector_id=A1, reading=reading, transaction_id=transaction))
    (session,) = (await life.recover()).sessions
    assert session.metered is not None
    assert session.metered.reading == ConnectorReading(energy_kwh=104.5, soc=0.7)


async def test_a_charger_cannot_write_into_the_session_of_another(life: Life) -> None:
    transaction = await start(life)
    lie = ConnectorMetered(
        at=instant(60), connector_id=B1, reading=ConnectorReading(energy_kwh=9999.0), transaction_id=transaction
    )
    await life.run(lie)
    (session,) = (await life.recover()).sessions
    assert session.metered is None


async def test_a_stopped_session_stays_stopped(life: Life) -> None:
    transaction = await start(life)
    async with Store(life.path, clock=SetClock(instant()), threaded=False) as store:
        await store.stop(TransactionStop(transaction, "A", 110.0, EPOCH, "Local"), instant())
    assert (await life.recover()).sessions == ()


async def test_a_session_begun_on_a_clock_ahead_of_ours_began_now(life: Life) -> None:
    await start(life)
    (session,) = (await life.recover(Instant(5.0, EPOCH - timedelta(days=1)))).sessions
    assert session.started.at.monotonic_s == 5.0


async def test_fallbacks_come_back_until_one_is_refused(life: Life) -> None:
    await life.run(
        FallbackConfirmed(at=instant(), connector_id=A1, fallback_a=6.0),
        FallbackConfirmed(at=instant(), connector_id=B1, fallback_a=0.0),
    )
    assert (await life.recover()).confirmed_fallbacks == {A1: 6.0, B1: 0.0}
    await life.run(FallbackRefused(at=instant(), connector_id=A1, detail="read back 32 A"))
    assert (await life.recover()).confirmed_fallbacks == {B1: 0.0}


def wish(energy_kwh: float, *, connector: ConnectorId | None = None, tag: IdTag | None = None) -> RequestAnnounced:
    return RequestAnnounced(
        at=instant(), request=ChargingRequest(energy_kwh=energy_kwh), connector_id=connector, id_tag=tag
    )


async def test_the_latest_request_comes_back_until_its_session_ends(life: Life) -> None:
    transaction = await start(life)
    await life.run(wish(10, connector=A1), wish(20, connector=A1), wish(30, tag=TAG), wish(40, tag=IdTag("OTHER")))
    requests = {request.request.energy_kwh for request in (await life.recover()).requests}
    assert requests == {20, 30, 40}
    stopped = TransactionStopped(
        at=instant(), connector_id=A1, transaction_id=transaction, meter_stop_kwh=None, stopped_at=EPOCH
    )
    await life.run(stopped)
    requests = {request.request.energy_kwh for request in (await life.recover()).requests}
    assert requests == {40}, "the tag that has not been seen yet may still come"


async def test_a_limit_set_from_outside_survives_and_comes_before_everything_that_draws(life: Life) -> None:
    await start(life)
    adopted = ChargerAdopted(at=instant(), charger=ChargerSpec(ChargerId("B"), (ConnectorSpec(B1),), adopted=True))
    for limit_a in (63.0, 40.0):
        await life.run(LimitChanged(at=instant(), node_id=NodeId("grid"), limit_a=limit_a, limit_kw=None))
    await life.run(adopted, wish(20, connector=A1), grants=(grant(1),))
    events = (await life.recover()).events()
    assert [type(event).__name__ for event in events] == [
        "ChargerAdopted",
        "LimitChanged",
        "GatewayRestarted",
        "TransactionStarted",
        "RequestAnnounced",
    ]
    assert isinstance(events[1], LimitChanged)
    assert events[1].limit_a == 40.0


async def test_feeding_and_recording_a_recovery_changes_nothing_for_the_next(life: Life) -> None:
    await start(life)
    await life.run(wish(20, connector=A1), FallbackConfirmed(at=instant(), connector_id=A1, fallback_a=6.0))
    await life.run(grants=(grant(1),))
    first = await life.recover()
    await life.run(*first.events(), began=LATER)
    assert await life.recover() == first


INSTALLED = FirmwareStatusReported(at=instant(3), charger_id=ChargerId("A"), status="Installed")
UPLOADED = LogStatusReported(at=instant(4), charger_id=ChargerId("A"), status="Uploaded", request_id=7)
TAMPERED = SecurityEventReported(at=instant(5), charger_id=ChargerId("B"), what="TamperDetectionActivated")


async def test_the_newest_report_of_each_kind_is_known_with_its_time(life: Life) -> None:
    await life.run(replace(INSTALLED, at=instant(1), status="Installing"), INSTALLED, UPLOADED, TAMPERED)
    found = (await life.recover()).upkeep
    assert [(report.at.utc, replace(report, at=instant())) for report in found] == [
        (report.at.utc, replace(report, at=instant())) for report in (INSTALLED, UPLOADED, TAMPERED)
    ]


async def test_reports_of_before_they_were_kept_are_taken_from_the_journal(life: Life) -> None:
    with closing(connect(life.path, JOURNAL_MIGRATIONS[:3], JOURNAL_ID, synchronous="FULL")) as old:
        old.execute("INSERT INTO runs (id, started_us, last_monotonic_s) VALUES (1, 0, 0)")
        write_events(old, 1, [replace(INSTALLED, at=instant(1), status="Installing"), INSTALLED, TAMPERED])
        for damaged in (b"{", b"{}"):
            row = (1, 0, "LogStatusReported", 0, damaged)
            old.execute("INSERT INTO events (run, utc_us, kind, packed, body) VALUES (?, ?, ?, ?, ?)", row)
        old.execute("DELETE FROM facts")
    found = (await life.recover()).upkeep
    assert [(type(report), report.at.utc) for report in found] == [
        (FirmwareStatusReported, INSTALLED.at.utc),
        (SecurityEventReported, TAMPERED.at.utc),
    ]


async def test_what_is_known_of_models_is_kept_until_it_is_forgotten(life: Life) -> None:
    why = {Aspect.PAUSE: Evidence(EPOCH, "refused every fallback below 8 A", by="A")}
    known = ModelLearned(at=instant(1), model="V M 1", learned=Learned(model="V M 1", lowest_a=8.0, evidence=why))
    await life.run(known, replace(known, model="V M 2"))
    assert {event.model: event.learned for event in (await life.recover()).models} == dict.fromkeys(
        ("V M 1", "V M 2"), known.learned
    )
    await life.run(replace(known, at=instant(2), learned=None))
    assert [event.model for event in (await life.recover()).models] == ["V M 2"]
