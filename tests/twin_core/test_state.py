"""The reducer: facts in, state out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.fakes import EPOCH, instant
from tests.sites import charger, connector_id, site
from twin_core.models import events as ev
from twin_core.models.charger import ConnectorReading, ConnectorStatus
from twin_core.models.ids import IdTag, NodeId, TransactionId
from twin_core.models.quantities import Phase
from twin_core.models.session import ChargingRequest
from twin_core.models.tariff import Tariff, flat_tariff
from twin_core.state import TwinState, apply

A = connector_id("A")


@pytest.fixture
def state() -> TwinState:
    return TwinState(site(charger("A"), charger("B"), metered=True), flat_tariff(0.5, EPOCH))


def started(
    connector=A, tx: int = 7, tag: str = "EV-1", at: float = 0.0, register: float = 100.0
) -> ev.TransactionStarted:
    return ev.TransactionStarted(
        at=instant(at),
        connector_id=connector,
        transaction_id=TransactionId(tx),
        id_tag=IdTag(tag),
        meter_start_kwh=register,
        started_at=instant(at).utc,
    )


def metered(register: float | None = None, *, at: float = 5.0, **reading: object) -> ev.ConnectorMetered:
    return ev.ConnectorMetered(
        at=instant(at),
        connector_id=A,
        reading=ConnectorReading(energy_kwh=register, **reading),  # type: ignore[arg-type]
    )


def stopped(tx: int = 7, register: float | None = None, at: float = 100.0) -> ev.TransactionStopped:
    return ev.TransactionStopped(
        at=instant(at),
        connector_id=A,
        transaction_id=TransactionId(tx),
        meter_stop_kwh=register,
        stopped_at=instant(at).utc,
    )


def test_energy_is_what_the_register_gained_and_costs_what_the_hour_costs(state: TwinState) -> None:
    state.tariff = Tariff((EPOCH, EPOCH + timedelta(hours=1)), (0.5, 1.0))
    for event in (started(), metered(102.0, at=60), metered(103.0, at=4000), stopped(register=103.5, at=4100)):
        apply(state, event)
    assert state.totals.delivered_kwh == pytest.approx(3.5)
    assert state.totals.cost_eur == pytest.approx(2 * 0.5 + 1.5 * 1.0)
    assert state.finished[0].energy_kwh == pytest.approx(3.5)


def test_a_register_that_runs_backwards_takes_nothing_away(state: TwinState) -> None:
    for event in (started(), metered(105.0), metered(0.0, at=10), metered(106.0, at=15)):
        apply(state, event)
    assert state.connectors[A].session.energy_kwh == pytest.approx(6.0)


def test_without_a_register_power_is_integrated_over_time(state: TwinState) -> None:
    apply(state, started())
    apply(state, metered(power_kw=10.0, at=0))
    apply(state, metered(power_kw=10.0, at=360))
    assert state.connectors[A].session.energy_kwh == pytest.approx(1.0)


def test_a_request_announced_before_plug_in_waits_for_its_tag(state: TwinState) -> None:
    request = ChargingRequest(energy_kwh=20.0, soc_at_arrival=0.3)
    apply(state, ev.RequestAnnounced(at=instant(), request=request, id_tag=IdTag("EV-1")))
    apply(state, started())
    assert state.connectors[A].session.request == request
    assert state.connectors[A].session.soc == 0.3


def test_a_request_during_a_session_replaces_the_earlier_one(state: TwinState) -> None:
    apply(state, started())
    for energy in (10.0, 12.0):
        request = ChargingRequest(energy_kwh=energy)
        apply(state, ev.RequestAnnounced(at=instant(1), request=request, connector_id=A))
    assert state.connectors[A].session.request.energy_kwh == 12.0


def test_unserved_energy_is_what_was_asked_less_what_was_delivered(state: TwinState) -> None:
    request = ChargingRequest(energy_kwh=20.0)
    apply(state, ev.RequestAnnounced(at=instant(), request=request, id_tag=IdTag("EV-1")))
    for event in (started(), metered(112.0), stopped(register=115.0)):
        apply(state, event)
    assert (state.totals.requested_kwh, state.totals.unserved_kwh) == (20.0, pytest.approx(5.0))


def test_a_repeated_start_is_one_session_and_a_new_one_ends_the_old(state: TwinState) -> None:
    for event in (started(), started(), started(tx=8)):
        apply(state, event)
    assert (state.totals.sessions_started, state.totals.sessions_completed) == (2, 1)
    assert state.connectors[A].session.transaction_id == 8


def test_stopping_a_transaction_that_is_not_in_progress_is_counted_and_changes_nothing(state: TwinState) -> None:
    apply(state, started())
    apply(state, stopped(tx=99))
    assert state.connectors[A].session is not None
    assert sum(state.totals.late_events.values()) == 1


def test_facts_about_unknown_things_are_counted_not_raised(state: TwinState) -> None:
    apply(state, started(connector=connector_id("nobody")))
    apply(state, ev.NodeMetered(at=instant(), node_id=NodeId("nowhere"), current_a=(1, 1, 1), power_kw=1))
    assert sum(state.totals.late_events.values()) == 2


def test_phases_a_car_uses_are_learned_and_never_unlearned_by_a_lower_sample(state: TwinState) -> None:
    apply(state, started())
    apply(state, metered(current_a=(0.0, 16.0, 0.2), at=5))
    apply(state, metered(current_a=(0.0, 0.0, 0.0), at=10))
    session = state.connectors[A].session
    assert session.phases == (Phase.L2,)
    assert session.peak_current_a == 16.0


def test_an_adopted_charger_joins_the_tree_below_the_grid_connection(state: TwinState) -> None:
    stranger = charger("stranger")
    apply(state, ev.ChargerAdopted(at=instant(), charger=stranger))
    apply(state, ev.ChargerConnected(at=instant(), charger_id=stranger.id))
    assert state.chargers[stranger.id].online
    assert state.site.path_by_charger[stranger.id][-1].id == "grid"


def test_status_comes_with_its_age(state: TwinState) -> None:
    apply(state, ev.ConnectorStatusReported(at=instant(3), connector_id=A, status=ConnectorStatus.CHARGING))
    assert state.connectors[A].status is ConnectorStatus.CHARGING
    assert state.connectors[A].status_at == instant(3)
    assert state.connectors[connector_id("B")].status is None
