import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from panel.shapes import UpstreamView
from panel.view import ViewSettings, view
from tests.panel.depot import AFTERNOON, CHARGING, EVSE, Outlet, Report, report
from twin_core.models.charger import ConnectorReading, ConnectorStatus
from twin_core.models.grant import Verdict
from twin_core.models.plan import LimitReason, PlanStatus, ReasonCode, Reasons, SessionReason
from twin_core.models.problem import Horizon


def why(outlet: Outlet) -> str:
    return view(report((outlet,))).connectors[0].why


def alarm_ids(made: object) -> list[str]:
    return [alarm.id for alarm in view(made).alarms]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bound_by", "words"),
    [
        ("grid L1", "grid has no more room on L1"),
        ("feeder-a kW", "feeder-a is at its power limit"),
        ("bay 3 east L2", "bay 3 east has no more room on L2"),
        ("hardware", "this is all the connector can give"),
        ("minimum 6 A", "too little room for the 6 A a car needs at least"),
        ("not verified", "its fallback was not confirmed, or it did not obey: counted at its maximum"),
        ("something new", "limited by something new"),
    ],
)
def test_each_reason_of_the_envelope_is_told_in_an_operators_words(bound_by: str, words: str) -> None:
    assert why(Outlet(CHARGING, 9.5, 10, bound_by, requested_kwh=30, leaves_h=4, tag="V")) == words


def test_a_limit_of_the_upstream_below_the_depots_own_is_named() -> None:
    held = Outlet(CHARGING, 9.5, 10, "", requested_kwh=30, leaves_h=4, tag="V", imposed_a=10.0)
    assert why(held) == "the upstream allows 10 A"
    assert why(replace(held, limit_a=8.0)) != "the upstream allows 10 A", "the depot gives less"
    assert why(replace(held, bound_by="grid L1")) == "grid has no more room on L1"


@pytest.mark.parametrize(("away", "waiting", "told"), [(0, 5, False), (2, 0, False), (2, 5, True)])
def test_an_upstream_that_is_away_while_something_waits_is_a_warning(away: int, waiting: int, told: bool) -> None:
    upstream = UpstreamView(url="wss://b", up=1, away=away, waiting=waiting, dropped=1, conflicts=1)
    found = [alarm for alarm in view(report(), upstream=upstream).alarms if alarm.id == "upstream:away"]
    assert [alarm.text for alarm in found] == [
        "The upstream is not reached for 2 chargers: 5 messages wait for it"
    ] * told


def test_a_charger_that_disobeys_is_told_before_any_limit_and_raises_an_alarm() -> None:
    rogue = Outlet(CHARGING, 20.4, 10, "grid L1", Verdict.NOT_OBEYED, 30, leaves_h=3, tag="V")
    assert why(rogue) == "draws 20.4 A where 10 A are allowed: others are held back for it"
    assert alarm_ids(report((rogue,)))[0] == "CP-01/1:obey"


def test_a_car_near_full_is_named_as_the_limit_rather_than_the_grid() -> None:
    full = Outlet(CHARGING, 6, 32, "", Verdict.LIMITED_BY_CAR, 30, 20, soc=0.9, leaves_h=3, tag="V")
    assert why(full) == "the car takes no more: its battery is nearly full"
    assert why(replace(full, soc=0.4)) == "the car takes no more"


def test_what_the_plan_holds_back_is_told_with_the_moment_it_begins() -> None:
    shown = view(report()).connectors[3]
    assert shown.why == "the plan charges it later"
    assert shown.planned_from is not None
    assert shown.planned_from > view(report()).site.time


def test_a_vehicle_that_has_what_it_asked_for_is_not_called_limited() -> None:
    assert (
        why(Outlet(EVSE, 0, 0, "grid L1", requested_kwh=20, energy_kwh=20, leaves_h=3, tag="V"))
        == "has what it asked for"
    )


def test_a_free_connector_has_nothing_to_explain() -> None:
    assert why(Outlet()) == ""


def test_an_offline_charger_is_offline_whatever_it_said_last_and_shows_what_is_kept_free_for_it() -> None:
    shown = view(report((Outlet(CHARGING, 12, 12, online=False, tag="V", age_s=90),))).connectors[0]
    assert (shown.state, shown.why, shown.stale) == ("offline", "no link: 12 A kept free for it", True)


def test_nothing_known_is_shown_as_none_and_not_as_zero() -> None:
    made = report((Outlet(status=None),))
    silent = replace(made.snapshot.connectors[0], reading=None, reading_age_s=None)
    shown = view(replace(made, snapshot=replace(made.snapshot, connectors=(silent,)))).connectors[0]
    assert (shown.power_kw, shown.current_a, shown.soc, shown.measured_at) == (None, None, None, None)
    assert shown.state == "unknown"


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_shown_as_not_known(nonsense: float) -> None:
    made = report((Outlet(CHARGING, 10, 10, tag="V"),))
    reading = ConnectorReading(power_kw=nonsense, current_a=(nonsense, 1.0, 1.0), soc=nonsense)
    odd = replace(made.snapshot.connectors[0], reading=reading, soc=nonsense)
    shown = view(replace(made, snapshot=replace(made.snapshot, connectors=(odd,)))).connectors[0]
    assert (shown.power_kw, shown.current_a, shown.soc) == (None, None, None)


def test_the_tighter_of_two_limits_is_the_sites_and_room_is_what_the_fullest_phase_leaves() -> None:
    site = view(report(limit_a=250.0, base_a=(0.0, 180.0, 0.0))).site
    assert site.limit_kw == 160.0
    assert site.headroom_kw is not None
    assert site.headroom_kw < 0
    assert site.worst_kw == pytest.approx(160.0 - site.headroom_kw)


def test_a_measured_moment_reads_the_same_however_often_it_is_shown() -> None:
    made = report()
    first = view(made)
    later = made.snapshot.now.later(1.3)
    aged = tuple(replace(c, reading_age_s=(c.reading_age_s or 0) + 1.3) for c in made.snapshot.connectors)
    second = view(replace(made, snapshot=replace(made.snapshot, now=later, connectors=aged)))
    assert [c.measured_at for c in first.connectors] == [c.measured_at for c in second.connectors]


def test_a_session_whose_meter_fell_silent_is_stale_and_a_free_connector_never_is() -> None:
    old = (Outlet(CHARGING, 10, 10, tag="V", age_s=61), Outlet(age_s=9000))
    assert [c.stale for c in view(report(old)).connectors] == [True, False]
    assert [c.stale for c in view(report(old), ViewSettings(stale_after_s=120)).connectors] == [False, False]


def test_a_silent_site_meter_is_told_and_the_sum_of_the_chargers_stands_in() -> None:
    made = report()
    root = made.snapshot.nodes[made.snapshot.site.root.id]
    dark = replace(root, base=replace(root.base, trusted=False), metered_age_s=400.0)
    shown = view(replace(made, snapshot=replace(made.snapshot, nodes={**made.snapshot.nodes, root.node.id: dark})))
    assert not shown.site.metered
    assert shown.site.power_kw == pytest.approx(shown.site.base_kw + shown.site.charging_kw, abs=0.02)
    assert "grid:meter" in [alarm.id for alarm in shown.alarms]


def test_prices_begin_with_the_one_in_force() -> None:
    shown = view(report())
    assert shown.prices.starts[0] <= shown.site.time < shown.prices.starts[1]
    assert shown.prices.price_eur_per_kwh[0] == shown.site.price_eur_per_kwh
    assert shown.prices.starts[-1] <= shown.site.time + timedelta(hours=24)


def test_a_fallback_plan_says_why_and_no_plan_is_told_while_vehicles_wait() -> None:
    made = report()
    assert made.snapshot.plan is not None
    late = replace(made.snapshot.plan, status=PlanStatus.FALLBACK, reason="the planner took longer than 2 s")
    shown = view(report(plan=late))
    assert any(a.id == "plan:fallback" and "longer than 2 s" in a.text for a in shown.alarms)
    assert "plan:none" in alarm_ids(report(plan=None))
    assert "plan:none" not in alarm_ids(report((Outlet(),), plan=None))


def test_many_quiet_chargers_make_one_line_and_the_worst_comes_first() -> None:
    crowd = (*(Outlet(online=False) for _ in range(40)), Outlet(ConnectorStatus.FAULTED, error="GroundFailure"))
    assert alarm_ids(report(crowd, shedding=True, plan=None)) == ["site:shedding", "CP-41/1:fault", "site:offline"]


def test_alarm_ids_are_unique_so_that_a_page_can_keep_them_apart() -> None:
    found = alarm_ids(report(AFTERNOON * 3, shedding=True))
    assert len(found) == len(set(found))


# Why the plan is as it is.

WAITING = Outlet(EVSE, 0, 0, requested_kwh=18, energy_kwh=2, leaves_h=7.5, tag="BUS-2")
GENTLE = Outlet(CHARGING, 10.1, 10, requested_kwh=35, energy_kwh=9, leaves_h=6, tag="VAN-15")


def planned(
    outlet: Outlet, code: ReasonCode, *, missing_kwh: float = 0.0, limit: str = "", price: float = 0.18
) -> Report:
    """A depot of one vehicle and its plan, with the plan's reason for it."""
    made = report((outlet,))
    assert made.snapshot.plan is not None
    reason = SessionReason(made.snapshot.plan.session_ids[0], code, "", limit, price)
    reasons = Reasons((reason,))
    return report((outlet,), plan=replace(made.snapshot.plan, reasons=reasons, unserved_kwh=np.array([missing_kwh])))


@pytest.mark.parametrize(
    ("outlet", "code", "said", "words"),
    [
        (
            WAITING,
            ReasonCode.CHEAPER_LATER,
            {},
            "the plan charges it later, where energy costs no more (0.18 €/kWh)",
        ),
        (
            GENTLE,
            ReasonCode.CHEAPER_LATER,
            {"price": math.inf},
            "the plan charges the rest later, where energy costs no more",
        ),
        (GENTLE, ReasonCode.LIMITED, {"limit": "grid L1"}, "the plan charges it gently: grid is full on L1"),
        (
            WAITING,
            ReasonCode.SHORT,
            {"missing_kwh": 2.5, "limit": "feeder-a kW"},
            "will leave 2.5 kWh short: feeder-a is at its power limit",
        ),
        (WAITING, ReasonCode.SHORT, {"missing_kwh": 2.5}, "will leave 2.5 kWh short, others come first"),
        (WAITING, ReasonCode.STAY_TOO_SHORT, {"missing_kwh": 1.0}, "will leave 1.0 kWh short: its stay is too short"),
    ],
)
def test_the_plans_reason_is_told_in_an_operators_words(
    outlet: Outlet, code: ReasonCode, said: dict[str, Any], words: str
) -> None:
    assert view(planned(outlet, code, **said)).connectors[0].why == words


def test_a_reason_from_before_the_rounding_is_not_told_where_it_is_wrong() -> None:
    """Said of powers before they were rounded to what can be offered: who gets nothing is not at full power."""
    assert view(planned(WAITING, ReasonCode.FULL_POWER)).connectors[0].why == "the plan charges it later"


def test_a_reason_for_now_is_not_told_once_its_step_is_over() -> None:
    made = planned(WAITING, ReasonCode.LIMITED, limit="grid L1")
    later = replace(made, snapshot=replace(made.snapshot, now=made.snapshot.now.later(3600.0)))
    assert "full" not in view(later).connectors[0].why


def test_a_plan_tells_the_limits_it_fills_and_how_evenly_it_serves() -> None:
    made = report()
    plan = made.snapshot.plan
    assert plan is not None
    price = np.zeros(plan.horizon.n_steps)
    price[4:10] = 0.125
    limits = tuple(LimitReason(name, 1.5, price, 3.0) for name in ("grid L1", "grid kW", "a L1", "a L2", "b L3"))
    unserved = np.zeros(len(plan.session_ids))
    unserved[:2] = 4.0
    shown = view(report(plan=replace(plan, reasons=Reasons((), limits), unserved_kwh=unserved))).plan
    assert shown is not None
    assert [limit.name for limit in shown.limits] == ["grid L1", "grid kW", "a L1"]
    assert (shown.limits[0].price_eur, shown.limits[0].bound_h, shown.limits[0].unit) == (0.125, 1.5, "A")
    assert shown.limits[0].starts == plan.horizon.start + timedelta(hours=1)
    assert shown.limits[1].unit == "kW"
    assert (shown.more_limits, shown.short) == (2, 2)
    assert shown.fairness is not None
    assert 0 < shown.fairness < 1


def test_where_everybody_gets_the_same_part_the_fairness_is_one() -> None:
    made = report()
    assert made.snapshot.plan is not None
    delivered = made.snapshot.plan.power_kw @ made.snapshot.plan.horizon.hours
    shown = view(report(plan=replace(made.snapshot.plan, unserved_kwh=delivered))).plan
    assert shown is not None
    assert shown.fairness == 1.0


def test_steps_that_grow_are_shown_at_their_length() -> None:
    made = report((WAITING,))
    assert made.snapshot.plan is not None
    graded = replace(
        made.snapshot.plan,
        horizon=Horizon.graded(made.snapshot.plan.horizon.start, (2, 0.25), (1, 1.0)),
        power_kw=np.array([[1.0, 2.0, 3.0]]),
    )
    shown = view(report((WAITING,), plan=graded)).plan
    assert shown is not None
    assert shown.planned_kw == (1.0, 2.0, 3.0, 3.0, 3.0, 3.0)
    assert len(shown.price_eur_per_kwh) == 6


def test_a_departure_that_is_not_believed_to_the_full_is_told_beside_the_announced_one() -> None:
    made = report((WAITING,))
    (session,) = [seen.session for seen in made.snapshot.connectors if seen.session is not None]
    until = made.snapshot.now.utc + timedelta(hours=2)
    shown = view(replace(made, counted_until={session.id: until})).connectors[0]
    assert (shown.departure, shown.counted_until) == (session.request.departure, until)
