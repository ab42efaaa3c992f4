"""From a snapshot to what the planners are asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta

import numpy as np
import pytest

from tests.fakes import EPOCH, instant
from tests.sites import charger, connector_id, site
from twin_core.estimation import EstimationSettings
from twin_core.forecasting.foresight import Foresight, PastSession, learned
from twin_core.forecasting.visitors import is_visitor
from twin_core.models import events as ev
from twin_core.models.charger import ConnectorReading
from twin_core.models.ids import ChargerId, IdTag, TransactionId
from twin_core.models.problem import PlanningProblem
from twin_core.models.quantities import Phase
from twin_core.models.session import ChargingRequest, Vehicle
from twin_core.models.site import SiteTree
from twin_core.models.tariff import Series, SiteTerms, flat_tariff
from twin_core.planning.service_first import EXPECTED_PRIORITY
from twin_core.planning.table import planner
from twin_core.problem import PlanningSettings, known_only, planning_problem
from twin_core.snapshot import Snapshot, take_snapshot
from twin_core.state import TwinState, apply

HOUR = timedelta(hours=1)


def plugged_in(
    tree: SiteTree,
    *names: str,
    energy_kwh: float = 22.0,
    stay_h: float = 2.0,
    soc: float | None = None,
    firm: bool = False,
    **vehicle: object,
) -> Snapshot:
    state = plugged_in_state(tree, *names, energy_kwh=energy_kwh, stay_h=stay_h, soc=soc, firm=firm, **vehicle)
    return take_snapshot(state, instant(), EstimationSettings())


def plugged_in_state(
    tree: SiteTree,
    *names: str,
    energy_kwh: float = 22.0,
    stay_h: float = 2.0,
    soc: float | None = None,
    firm: bool = False,
    **vehicle: object,
) -> TwinState:
    tags = [IdTag(f"EV-{name}") for name in names]
    fleet = {tag: Vehicle(tag, **vehicle) for tag in tags}  # type: ignore[arg-type]
    state = TwinState(tree, flat_tariff(0.2, EPOCH), fleet)
    for number, (name, tag) in enumerate(zip(names, tags, strict=True)):
        request = ChargingRequest(energy_kwh, EPOCH + stay_h * HOUR, soc, firm=firm)
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


def test_a_car_that_has_just_begun_is_kept_charging_for_the_rest_of_its_minimum_run() -> None:
    state = plugged_in_state(site(charger("A")), "A")
    settings = PlanningSettings(min_run_min=15.0)

    def run_h(at_s: float) -> float:
        snapshot = take_snapshot(state, instant(at_s), EstimationSettings())
        return planning_problem(snapshot, {}, settings, EstimationSettings()).sessions[0].run_h

    assert run_h(0) == 0.0
    for at_s in (60, 120, 360):
        apply(state, charging(7.0, at_s))
    assert run_h(360) == pytest.approx(10 / 60)
    assert run_h(1500) == 0.0
    apply(state, charging(0.0, 420))
    assert run_h(420) == 0.0
    apply(state, charging(7.0, 480))
    assert run_h(480) == pytest.approx(15 / 60)


def drivers_who_left_early(stayed_h: float, announced_h: float | None = 8.0) -> Foresight:
    """Thirty days of drivers who stayed for less than they had said."""
    days = [EPOCH - timedelta(days=n) for n in range(1, 31)]
    announced = [None if announced_h is None else day + announced_h * HOUR for day in days]
    past = [
        PastSession(IdTag("X"), day, day + stayed_h * HOUR, 12.0, said)
        for day, said in zip(days, announced, strict=True)
    ]
    return learned(past[::-1], EPOCH, UTC)


def foreseen(snapshot: Snapshot, foresight: Foresight) -> PlanningProblem:
    return planning_problem(snapshot, {}, PlanningSettings(), EstimationSettings(), foresight)


def test_a_drivers_announcement_is_discounted_by_what_was_learned() -> None:
    early = replace(drivers_who_left_early(4.0), working_days=None, weekends=None)
    need = foreseen(plugged_in(site(charger("A")), "A", stay_h=8.0), early).sessions[0]
    assert need.departure_h == pytest.approx(4.0 - 3 / 60)


def test_a_timetable_is_taken_at_its_word() -> None:
    early = replace(drivers_who_left_early(4.0), working_days=None, weekends=None)
    by_fleet = plugged_in(site(charger("A")), "A", stay_h=8.0, keeps_timetable=True)
    by_request = plugged_in(site(charger("A")), "A", stay_h=8.0, firm=True)
    for snapshot in (by_fleet, by_request):
        assert foreseen(snapshot, early).sessions[0].departure_h == pytest.approx(8.0 - 3 / 60)


def test_an_announcement_is_never_stretched() -> None:
    late = replace(drivers_who_left_early(12.0), working_days=None, weekends=None)
    need = foreseen(plugged_in(site(charger("A")), "A", stay_h=2.0), late).sessions[0]
    assert need.departure_h == pytest.approx(2.0 - 3 / 60)


def test_who_is_still_here_is_planned_for_at_least_a_step() -> None:
    early = replace(drivers_who_left_early(0.01), working_days=None, weekends=None)
    need = foreseen(plugged_in(site(charger("A")), "A", stay_h=8.0), early).sessions[0]
    assert need.departure_h == pytest.approx(5 / 60)


def test_room_is_asked_for_those_who_are_expected_at_free_connectors_only() -> None:
    tree = site(charger("A"), charger("B"), limit_a=40.0)
    foresight = drivers_who_left_early(4.0)
    full = plugged_in(tree, "A", "B", stay_h=8.0)
    assert [s for s in foreseen(full, foresight).sessions if is_visitor(s.session_id)] == []
    snapshot = plugged_in(tree, "A", stay_h=8.0)
    online = replace(snapshot, connectors=tuple(replace(view, online=True) for view in snapshot.connectors))
    morning = replace(online, now=replace(online.now, utc=online.now.utc - timedelta(minutes=30)))
    problem = foreseen(morning, foresight)
    (visitor,) = [s for s in problem.sessions if is_visitor(s.session_id)]
    assert visitor.arrival_h > 0
    assert visitor.priority <= EXPECTED_PRIORITY
    caps = {cap.name: cap for cap in problem.caps}
    assert caps["grid L1"].load[problem.sessions.index(visitor)] > 0


def test_a_plan_is_told_without_those_who_were_only_expected() -> None:
    tree = site(charger("A"), charger("B"), limit_a=40.0)
    snapshot = plugged_in(tree, "A", stay_h=8.0)
    online = replace(snapshot, connectors=tuple(replace(view, online=True) for view in snapshot.connectors))
    morning = replace(online, now=replace(online.now, utc=online.now.utc - timedelta(minutes=30)))
    problem = foreseen(morning, drivers_who_left_early(4.0))
    assert len(problem.sessions) == 2
    asked = planner("service_first").plan(problem)
    told = known_only(problem, asked)
    alone = planner("service_first").plan(ask(morning))
    assert told.session_ids == alone.session_ids
    assert told.power_kw.shape == (1, asked.power_kw.shape[1])
    assert told.power_at(told.session_ids[0], morning.now.utc) == asked.power_at(asked.session_ids[0], morning.now.utc)
    assert told.cost_eur == pytest.approx(22.0 * 0.2)
    assert told.reasons is not None
    assert len(told.reasons.sessions) == 1


# What flows through the site's meter beside the sessions.


def always(value: float) -> Series:
    return Series((EPOCH,), (value,))


def at_meter(snapshot: Snapshot, net_kw: float | None, **terms: object) -> Snapshot:
    """The snapshot with what the meter shows beside the chargers."""
    root = snapshot.site.root.id
    seen = snapshot.nodes[root]
    nodes = {**snapshot.nodes, root: replace(seen, base=replace(seen.base, net_kw=net_kw))}
    return replace(snapshot, nodes=nodes, terms=SiteTerms(**terms))  # type: ignore[arg-type]


def test_where_only_import_is_paid_for_nothing_else_flows() -> None:
    assert ask(plugged_in(site(charger("A")), "A")).site is None


def test_the_sun_in_the_meters_reading_counts_once() -> None:
    # 3 kW flow out while the sun should give 8: the buildings take 5.
    sun = Series((EPOCH, EPOCH + HOUR), (8.0, 2.0))
    flows = ask(at_meter(plugged_in(site(charger("A")), "A"), -3.0, pv_kw=sun)).site
    assert flows is not None
    np.testing.assert_allclose(flows.base_kw, 5.0)
    np.testing.assert_allclose(flows.pv_kw[:12], 8.0)
    np.testing.assert_allclose(flows.pv_kw[12:], 2.0)
    assert flows.base_kw[0] - flows.pv_kw[0] == pytest.approx(-3.0)


def test_a_sun_that_was_not_expected_is_no_negative_load() -> None:
    flows = ask(at_meter(plugged_in(site(charger("A")), "A"), -3.0, pv_kw=always(1.0))).site
    assert flows is not None
    np.testing.assert_allclose(flows.base_kw, 0.0)


def test_export_that_nobody_forecast_stays_in_the_base_load() -> None:
    flows = ask(at_meter(plugged_in(site(charger("A")), "A"), -3.0, export_eur_per_kwh=always(0.07))).site
    assert flows is not None
    np.testing.assert_allclose(flows.base_kw, -3.0)
    np.testing.assert_allclose(flows.export_eur_per_kwh, 0.07)


def test_without_a_meter_the_base_load_is_its_worst_case() -> None:
    tree = site(charger("A"), base_load_worst_a=10.0)
    flows = ask(at_meter(plugged_in(tree, "A"), None, demand_charge_eur_per_kw=8.0)).site
    assert flows is not None
    np.testing.assert_allclose(flows.base_kw, 6.9)


def test_the_months_peak_so_far_costs_nothing_more() -> None:
    state = TwinState(site(charger("A")), flat_tariff(0.2, EPOCH))
    apply(state, ev.TermsChanged(at=instant(), terms=SiteTerms(demand_charge_eur_per_kw=8.0)))
    apply(state, ev.PeakMeasured(at=instant(), peak_kw=41.0))
    flows = ask(take_snapshot(state, instant(), EstimationSettings())).site
    assert flows is not None
    assert flows.peak_so_far_kw == 41.0
    assert flows.demand_charge_eur_per_kw == 8.0


def test_carbon_is_told_step_by_step() -> None:
    carbon = Series((EPOCH, EPOCH + HOUR), (0.4, 0.1))
    problem = ask(
        replace(plugged_in(site(charger("A")), "A"), terms=SiteTerms(carbon_kg_per_kwh=carbon, carbon_eur_per_kg=0.1))
    )
    assert problem.site is None
    assert problem.carbon_kg_per_kwh is not None
    np.testing.assert_allclose(problem.carbon_kg_per_kwh[[0, -1]], [0.4, 0.1])
    assert problem.carbon_eur_per_kg == 0.1


def test_a_car_waits_for_the_sun_that_nobody_pays_for() -> None:
    sun = Series((EPOCH, EPOCH + HOUR), (0.0, 22.0))
    snapshot = at_meter(plugged_in(site(charger("A")), "A", energy_kwh=11.0, stay_h=2.05), 0.0, pv_kw=sun)
    plan = planner("service_first").plan(ask(snapshot))
    assert plan.power_kw[0, :12].sum() == pytest.approx(0.0, abs=1e-6)
    assert plan.cost_eur == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("imposed_a", "max_a"), [(10.0, 10.0), (40.0, 32.0), (None, 32.0)])
def test_a_session_is_planned_at_no_more_than_another_central_system_allows(
    imposed_a: float | None, max_a: float
) -> None:
    state = plugged_in_state(site(charger("A")), "A")
    apply(state, ev.ConnectorLimited(at=instant(), connector_id=connector_id("A"), limit_a=imposed_a))
    (need,) = ask(take_snapshot(state, instant(), EstimationSettings())).sessions
    assert need.max_kw == pytest.approx(max_a * 0.69)


@pytest.mark.parametrize("imposed_a", [0.0, 5.9, float("nan")])
def test_a_session_that_may_not_charge_at_all_is_not_planned(imposed_a: float) -> None:
    state = plugged_in_state(site(charger("A")), "A")
    apply(state, ev.ConnectorLimited(at=instant(), connector_id=connector_id("A"), limit_a=imposed_a))
    assert ask(take_snapshot(state, instant(), EstimationSettings())).sessions == ()
