"""From a snapshot to what the planners are asked."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tests.fakes import EPOCH, instant
from tests.sites import charger, connector_id, site
from twin_core.estimation import EstimationSettings
from twin_core.models import events as ev
from twin_core.models.charger import ConnectorReading
from twin_core.models.ids import ChargerId, IdTag, TransactionId
from twin_core.models.quantities import Phase
from twin_core.models.session import ChargingRequest, Vehicle
from twin_core.models.site import SiteTree
from twin_core.models.tariff import flat_tariff
from twin_core.problem import PlanningSettings, planning_problem
from twin_core.snapshot import Snapshot, take_snapshot
from twin_core.state import TwinState, apply

HOUR = timedelta(hours=1)


def plugged_in(
    tree: SiteTree, *names: str, energy_kwh: float = 22.0, stay_h: float = 2.0, **vehicle: object
) -> Snapshot:
    tags = [IdTag(f"EV-{name}") for name in names]
    fleet = {tag: Vehicle(tag, **vehicle) for tag in tags}  # type: ignore[arg-type]
    state = TwinState(tree, flat_tariff(0.2, EPOCH), fleet)
    for number, (name, tag) in enumerate(zip(names, tags, strict=True)):
        request = ChargingRequest(energy_kwh, EPOCH + stay_h * HOUR)
        apply(state, ev.ChargerConnected(at=instant(), charger_id=ChargerId(name)))
        apply(state, ev.RequestAnnounced(at=instant(), request=request, id_tag=tag))
        apply(
            state,
            ev.TransactionStarted(
                at=instant(),
                connector_id=connector_id(name),
                transaction_id=TransactionId(number + 1),
                id_tag=tag,
                meter_start_kwh=0.0,
                started_at=EPOCH,
            ),
        )
    return take_snapshot(state, instant(), EstimationSettings())


def ask(snapshot: Snapshot, reserved: dict | None = None):
    return planning_problem(snapshot, reserved or {}, PlanningSettings(), EstimationSettings())


def test_a_session_needs_what_is_left_at_the_power_its_car_takes() -> None:
    need = ask(plugged_in(site(charger("A")), "A", n_phases=1, max_current_a=16.0)).sessions[0]
    assert need.energy_kwh == 22.0
    assert need.max_kw == pytest.approx(16 * 0.23)
    assert need.min_kw == pytest.approx(6 * 0.23)
    assert need.departure_h == pytest.approx(2.0 - 3 / 60)


def test_a_current_cap_counts_the_phases_a_connector_is_wired_to() -> None:
    tree = site(charger("A", phases=(Phase.L2,)), charger("B"), limit_a=40.0)
    caps = {cap.name: cap for cap in ask(plugged_in(tree, "A", "B", n_phases=1)).caps}
    assert "grid L2" in caps
    assert caps["grid L1"].load[0] == 0.0
    assert caps["grid L2"].load[0] > 0.0
    assert caps["grid L2"].limit[0] == 40.0


def test_unplanned_connectors_and_base_load_are_taken_off_the_caps() -> None:
    tree = site(charger("A"), charger("B", fallback_a=6.0), limit_a=40.0, base_load_worst_a=10.0)
    caps = {cap.name: cap for cap in ask(plugged_in(tree, "A"), {connector_id("B"): 6.0}).caps}
    np.testing.assert_allclose(caps["grid L1"].limit, 40 - 10 - 3 - 6)


def test_a_satisfied_session_is_not_planned() -> None:
    assert ask(plugged_in(site(charger("A")), "A", energy_kwh=0.0)).sessions == ()


def test_a_kwh_short_is_dearer_than_any_price() -> None:
    problem = ask(plugged_in(site(charger("A")), "A"))
    assert problem.sessions[0].shortfall_eur_per_kwh > problem.price_eur_per_kwh.max()


def test_one_phase_seen_means_one_phase_planned() -> None:
    tree = site(charger("A"))
    state = TwinState(tree, flat_tariff(0.2, EPOCH))
    apply(state, ev.ChargerConnected(at=instant(), charger_id=ChargerId("A")))
    apply(
        state,
        ev.TransactionStarted(
            at=instant(),
            connector_id=connector_id("A"),
            transaction_id=TransactionId(1),
            id_tag=IdTag("x"),
            meter_start_kwh=0.0,
            started_at=EPOCH,
        ),
    )
    reading = ConnectorReading(current_a=(10.0, 0.0, 0.0))
    apply(state, ev.ConnectorMetered(at=instant(5), connector_id=connector_id("A"), reading=reading))
    need = ask(take_snapshot(state, instant(6), EstimationSettings())).sessions[0]
    assert need.kw_per_a == pytest.approx(0.23)
