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
    tree: SiteTree,
    *names: str,
    energy_kwh: float = 22.0,
    stay_h: float = 2.0,
    soc: float | None = None,
    **vehicle: object,
) -> Snapshot:
    state = plugged_in_state(tree, *names, energy_kwh=energy_kwh, stay_h=stay_h, soc=soc, **vehicle)
    return take_snapshot(state, instant(), EstimationSettings())


def plugged_in_state(
    tree: SiteTree,
    *names: str,
    energy_kwh: float = 22.0,
    stay_h: float = 2.0,
    soc: float | None = None,
    **vehicle: object,
) -> TwinState:
    tags = [IdTag(f"EV-{name}") for name in names]
    fleet = {tag: Vehicle(tag, **vehicle) for tag in tags}  # type: ignore[arg-type]
    state = TwinState(tree, flat_tariff(0.2, EPOCH), fleet)
    for number, (name, tag) in enumerate(zip(names, tags, strict=True)):
        request = ChargingRequest(energy_kwh, EPOCH + stay_h * HOUR, soc)
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
    return state


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


def test_the_first_step_is_to_be_offered_in_the_steps_its_charger_takes() -> None:
    problem = ask(plugged_in(site(charger("A")), "A"))
    assert problem.offerable_steps == 1
    assert problem.sessions[0].step_kw == pytest.approx(0.1 * 0.69)
    assert problem.sessions[0].now_kw == 0.0


def test_a_battery_that_fills_up_takes_less_and_the_last_of_the_energy_at_the_lowest_current() -> None:
    snapshot = plugged_in(site(charger("A")), "A", energy_kwh=20.0, soc=0.6, battery_kwh=46.0, taper_soc=0.8)
    need = ask(snapshot).sessions[0]
    assert need.taper is not None
    assert need.taper.flat_kwh == pytest.approx(0.2 * 46 / 0.92)
    part = (need.taper.full_kwh - need.energy_kwh) / (need.taper.full_kwh - need.taper.flat_kwh)
    assert part * need.max_kw == pytest.approx(need.min_kw)
    little = plugged_in(site(charger("A")), "A", energy_kwh=5.0, soc=0.6, battery_kwh=46.0, taper_soc=0.8)
    assert ask(little).sessions[0].taper is None


def test_steps_may_grow_towards_the_end_of_the_horizon() -> None:
    settings = PlanningSettings(grades_min=((2, 5.0), (2, 15.0), (1, 60.0)))
    horizon = planning_problem(
        plugged_in(site(charger("A")), "A", stay_h=3.0), {}, settings, EstimationSettings()
    ).horizon
    np.testing.assert_allclose(horizon.hours * 60, [5, 5, 15, 15, 60, 60, 60])
    assert float(horizon.edges_h[-1]) >= 3.0 - 3 / 60


def test_a_car_on_one_phase_of_a_charger_on_three_is_counted_on_all_three() -> None:
    """Which line it uses is only known once a sample shows it; until then its current counts on each."""
    caps = {
        cap.name: cap
        for cap in ask(plugged_in(site(charger("A"), charger("B"), limit_a=40.0), "A", "B", n_phases=1)).caps
    }
    for line in ("L1", "L2", "L3"):
        np.testing.assert_allclose(caps[f"grid {line}"].load, 1 / 0.23)


def charging(kw: float, at_s: float) -> ev.ConnectorMetered:
    reading = ConnectorReading(power_kw=kw)
    return ev.ConnectorMetered(at=instant(at_s), connector_id=connector_id("A"), reading=reading)


def test_how_long_ago_a_car_last_charged_is_known_and_standing_by_is_not_charging() -> None:
    state = plugged_in_state(site(charger("A")), "A")
    assert ask(take_snapshot(state, instant(60), EstimationSettings())).sessions[0].idle_h is None
    apply(state, charging(7.0, 60))
    apply(state, charging(0.05, 120))
    need = ask(take_snapshot(state, instant(1860), EstimationSettings())).sessions[0]
    assert need.idle_h == pytest.approx(0.5)
