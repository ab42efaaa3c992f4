"""What the envelope promises, one claim a test."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import instant
from tests.twin_core.safety.depots import GRID, PARAMETERS, Desk, connector, limits, outlet, site
from twin_core.models.charger import ChargerAbilities, ChargerIdentity, ChargerSpec, ProfilePurpose
from twin_core.models.events import (
    ChargerAdopted,
    ChargerBooted,
    ChargerCommissioned,
    ChargerConnected,
    ChargerDisconnected,
    FallbackRefused,
    GatewayRestarted,
    LimitChanged,
    TransactionStarted,
    TransactionStopped,
)
from twin_core.models.grant import GrantOutcome
from twin_core.models.ids import ChargerId, IdTag, TransactionId
from twin_core.models.quantities import Phase
from twin_core.safety.envelope import Envelope

L1, L2, L3 = Phase.L1, Phase.L2, Phase.L3
RELEASE_S, WINDOW_S = PARAMETERS.release_s, PARAMETERS.window_s


def three(limit_a: float = 40.0, **options: float) -> Desk:
    return Desk(site(limit_a, connector("a", **options), connector("b", **options), connector("c", **options)))


def limit_changed(limit_a: float | None, at_s: float) -> LimitChanged:
    return LimitChanged(at=instant(at_s), node_id=GRID, limit_a=limit_a, limit_kw=None)


# Wishes.


def test_wishes_that_fit_are_granted_as_they_are() -> None:
    decision = three().decide(0.0, {"a": 16.0, "b": 24.0})
    assert limits(decision) == {"a": 16.0, "b": 24.0}
    assert not decision.shedding
    assert {a.bound_by for a in decision.allotments.values()} == {""}


def test_where_not_everything_fits_the_last_wish_gives_way_first() -> None:
    decision = three(60.0).decide(0.0, {"b": 32.0, "c": 20.0, "a": 20.0})
    assert limits(decision) == {"b": 32.0, "c": 20.0, "a": 8.0}
    assert decision.allotments[outlet("a")].bound_by == "grid L1"


def test_nothing_is_granted_between_zero_and_six_amperes() -> None:
    decision = three(25.0).decide(0.0, {"a": 20.0, "b": 10.0})
    assert limits(decision) == {"a": 20.0}
    assert decision.allotments[outlet("b")].bound_by == "minimum 6 A"
    assert limits(three().decide(0.0, {"a": 5.9})) == {}


def test_hardware_bounds_a_wish() -> None:
    decision = three(100.0).decide(0.0, {"a": 63.0})
    assert limits(decision) == {"a": 32.0}
    assert decision.allotments[outlet("a")].bound_by == "hardware"


@given(wish_a=st.floats(0.0, 40.0), step_a=st.sampled_from([0.1, 0.5, 1.0]))
def test_limits_are_multiples_of_the_chargers_step_and_never_rounded_up(wish_a: float, step_a: float) -> None:
    desk = Desk(site(32.0, connector("a", step_a=step_a)))
    for limit_a in limits(desk.decide(0.0, {"a": wish_a})).values():
        assert limit_a <= wish_a + 1e-6 * step_a
        assert math.isclose(limit_a / step_a, round(limit_a / step_a), abs_tol=1e-6)


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -math.inf, -1.0])
def test_a_wish_that_is_no_current_raises_nothing(nonsense: float) -> None:
    desk = three()
    assert limits(desk.decide(0.0, {"a": nonsense, "b": nonsense})) == {}
    assert desk.worst_a("a", 0.0) == 0.0


@pytest.mark.parametrize("nonsense", [math.nan, math.inf])
def test_a_base_load_that_is_no_number_leaves_no_room(nonsense: float) -> None:
    desk = three()
    assert limits(desk.decide(0.0, {"a": 16.0}, {GRID: (0.0, nonsense, 0.0)})) == {}
    desk.settle(1.0, {"a": 16.0})
    assert limits(desk.decide(20.0, {"a": 16.0}, {GRID: (nonsense,) * 3})) == {"a": 0.0}


def test_generation_is_not_handed_out() -> None:
    assert limits(three(20.0).decide(0.0, {"a": 32.0}, {GRID: (-100.0,) * 3})) == {"a": 20.0}


@pytest.mark.parametrize("nonsense", [math.nan, -5.0, 0.0])
def test_a_limit_that_is_no_number_allows_nothing(nonsense: float) -> None:
    desk = three()
    desk.envelope.observe(limit_changed(nonsense, 0.0))
    assert limits(desk.decide(0.0, {"a": 16.0})) == {}


def test_a_wish_for_an_unknown_connector_is_passed_over_and_a_repeated_one_counts_once() -> None:
    desk = three()
    assert limits(desk.decide(0.0, {"nobody": 16.0, "a": 10.0})) == {"a": 10.0}


# Phases and power.


def test_currents_count_on_the_phases_they_are_wired_to() -> None:
    desk = Desk(site(32.0, connector("a", phases=(L1,)), connector("b", phases=(L2,)), connector("c", phases=(L1,))))
    assert limits(desk.decide(0.0, {"a": 32.0, "b": 32.0, "c": 32.0})) == {"a": 32.0, "b": 32.0}


def test_unknown_wiring_counts_on_every_phase() -> None:
    desk = Desk(site(32.0, connector("a", phases=(L1,), known=False), connector("b", phases=(L3,))))
    decision = desk.decide(0.0, {"a": 20.0, "b": 20.0})
    assert limits(decision) == {"a": 20.0, "b": 12.0}
    assert decision.allotments[outlet("b")].bound_by == "grid L3"


@given(turn=st.integers(0, 2))
def test_turning_the_phases_of_a_site_turns_the_result(turn: int) -> None:
    def phases(*numbers: int) -> tuple[Phase, ...]:
        return tuple(Phase((number + turn) % 3) for number in numbers)

    specs = (connector("a", phases=phases(0)), connector("b", phases=phases(0, 1)), connector("c", phases=phases(2)))
    decision = Desk(site(40.0, *specs)).decide(0.0, {"a": 25.0, "b": 25.0, "c": 25.0})
    assert limits(decision) == {"a": 25.0, "b": 15.0, "c": 25.0}
    assert decision.margins[GRID].worst_a[(0 + turn) % 3] == pytest.approx(40.0)


def test_power_limits_count_amperes_at_the_highest_voltage() -> None:
    decision = Desk(site(100.0, connector("a"), connector("b"), limit_kw=22.0)).decide(0.0, {"a": 20.0, "b": 20.0})
    assert limits(decision) == {"a": 20.0, "b": 8.9}  # 28.9 A on three phases at 253 V are 21.9 kW
    assert decision.allotments[outlet("b")].bound_by == "grid kW"
    margin_kw = decision.margins[GRID].margin_kw
    assert margin_kw is not None
    assert 0.0 <= margin_kw < 0.1


def test_connectors_of_one_charger_share_its_supply() -> None:
    desk = Desk(site(100.0, connector("duo", 1), connector("duo", 2)))
    decision = desk.decide(0.0, {outlet("duo", 1): 20.0, outlet("duo", 2): 20.0})
    assert [grant.limit_a for grant in decision.grants] == [20.0, 12.0]
    assert decision.allotments[outlet("duo", 2)].bound_by == "duo supply L1"


def test_a_charger_never_counts_at_more_than_its_supply() -> None:
    desk = Desk(site(48.0, connector("duo", 1), connector("duo", 2), connector("a")), confirmed=False)
    desk.confirm(outlet("a"), 0.0, -10.0)
    decision = desk.decide(0.0, {"a": 16.0})
    assert decision.margins[GRID].worst_a == (48.0, 48.0, 48.0)
    assert limits(decision) == {"a": 16.0}


# What counts, and until when.


def test_an_increase_waits_until_the_decrease_that_makes_room_is_proved_and_followed() -> None:
    desk = three(32.0)
    desk.settle(0.0, {"a": 32.0})
    decision = desk.decide(10.0, {"a": 10.0, "b": 22.0})
    assert limits(decision) == {"a": 10.0}
    assert limits(desk.decide(12.0, {"a": 10.0, "b": 22.0})) == {}
    desk.answer(decision.grants, 12.0)
    assert limits(desk.decide(12.0 + RELEASE_S - 0.01, {"a": 10.0, "b": 22.0})) == {}
    assert limits(desk.decide(12.0 + RELEASE_S, {"a": 10.0, "b": 22.0})) == {"b": 22.0}


def test_nobody_waits_for_a_decrease_that_he_does_not_need() -> None:
    desk = three(40.0)
    desk.settle(0.0, {"a": 20.0})
    assert limits(desk.decide(10.0, {"a": 10.0, "b": 20.0, "c": 10.0})) == {"a": 10.0, "b": 20.0}


@pytest.mark.parametrize("outcome", [GrantOutcome.TIMED_OUT, GrantOutcome.FAILED, GrantOutcome.OFFLINE])
def test_an_uncertain_grant_counts_until_its_lease_has_surely_ended(outcome: GrantOutcome) -> None:
    desk = three()
    desk.answer(desk.decide(0.0, {"a": 30.0}).grants, 1.0, outcome)
    assert desk.worst_a("a", WINDOW_S - 0.01) == 30.0
    assert desk.worst_a("a", WINDOW_S) == 0.0


def test_a_rejected_grant_counts_for_a_ramp_and_one_that_was_never_sent_not_at_all() -> None:
    desk = three()
    desk.answer(desk.decide(0.0, {"a": 30.0}).grants, 1.0, GrantOutcome.REJECTED)
    assert [desk.worst_a("a", t) for t in (1.0, 1.0 + RELEASE_S)] == [30.0, 0.0]
    desk.answer(desk.decide(0.0, {"b": 10.0}).grants, 1.0, GrantOutcome.UNSENT)
    assert desk.worst_a("b", 1.0) == 0.0


def test_an_acceptance_ends_older_grants_that_were_answered_before_it_was_sent() -> None:
    desk = three()
    desk.settle(0.0, {"a": 30.0})
    desk.settle(10.0, {"a": 10.0})
    assert [desk.worst_a("a", t) for t in (10.0 + RELEASE_S - 0.01, 10.0 + RELEASE_S)] == [30.0, 10.0]


def test_an_acceptance_ends_no_older_grant_whose_message_may_still_be_underway() -> None:
    desk = three()
    first = desk.decide(0.0, {"a": 30.0})
    desk.answer(first.grants, 5.0, GrantOutcome.TIMED_OUT)
    desk.settle(10.0, {"a": 10.0})
    assert desk.worst_a("a", 100.0) == 30.0


def test_a_late_acceptance_still_ends_what_came_before_it() -> None:
    desk = three()
    desk.settle(0.0, {"a": 30.0})
    second = desk.decide(10.0, {"a": 10.0})
    desk.answer(second.grants, 15.0, GrantOutcome.TIMED_OUT)
    assert desk.worst_a("a", 50.0) == 30.0
    desk.answer(second.grants, 50.0)
    assert [desk.worst_a("a", t) for t in (50.0, 50.0 + RELEASE_S)] == [30.0, 10.0]


def test_a_reboot_and_a_lost_link_release_nothing() -> None:
    desk = three(fallback_a=6.0)
    desk.settle(0.0, {"a": 16.0})
    charger = ChargerId("a")
    desk.envelope.observe(ChargerDisconnected(at=instant(1.0), charger_id=charger))
    desk.envelope.observe(ChargerConnected(at=instant(2.0), charger_id=charger))
    desk.envelope.observe(ChargerBooted(at=instant(3.0), charger_id=charger, identity=ChargerIdentity()))
    assert desk.worst_a("a", 4.0) == 16.0
    assert desk.worst_a("a", 500.0) == 6.0


def test_a_charger_that_may_have_lost_its_limits_is_asked_again_at_once() -> None:
    desk = three()
    desk.settle(0.0, {"a": 16.0})
    assert limits(desk.decide(1.0, {"a": 16.0})) == {}
    desk.envelope.observe(ChargerBooted(at=instant(2.0), charger_id=ChargerId("a"), identity=ChargerIdentity()))
    assert limits(desk.decide(3.0, {"a": 16.0})) == {"a": 16.0}


def test_after_total_silence_for_t_safe_only_the_fallbacks_count() -> None:
    desk = three(60.0, fallback_a=6.0)
    desk.settle(0.0, {"a": 20.0, "b": 20.0, "c": 20.0})
    decision = desk.decide(WINDOW_S, {})
    assert decision.margins[GRID].worst_a == (18.0, 18.0, 18.0)
    assert decision.grants == ()


def test_a_charger_that_ends_no_lease_counts_until_a_newer_grant_is_accepted() -> None:
    desk = three()
    abilities = ChargerAbilities(leases=False, purposes=(ProfilePurpose.TX_DEFAULT,))
    desk.envelope.observe(ChargerCommissioned(at=instant(0.0), charger_id=ChargerId("a"), abilities=abilities))
    (grant,) = desk.settle(0.0, {"a": 20.0}).grants
    assert math.isinf(grant.lease_s)
    assert grant.expires_utc is None
    assert desk.worst_a("a", 1e6) == 20.0
    assert limits(desk.settle(1e6, {})) == {"a": 0.0}  # nobody wishes: it would never stop by itself
    assert desk.worst_a("a", 1e6 + RELEASE_S) == 0.0


def test_a_charger_found_to_end_no_lease_holds_what_it_was_granted_before() -> None:
    desk = three()
    desk.settle(0.0, {"a": 20.0})
    abilities = ChargerAbilities(leases=False)
    desk.envelope.observe(ChargerCommissioned(at=instant(5.0), charger_id=ChargerId("a"), abilities=abilities))
    assert desk.worst_a("a", 1e6) == 20.0


def test_uncertain_grants_of_a_charger_that_ends_no_lease_are_cleared_up_in_the_end() -> None:
    desk = three()
    abilities = ChargerAbilities(leases=False, purposes=(ProfilePurpose.TX_DEFAULT,))
    desk.envelope.observe(ChargerCommissioned(at=instant(0.0), charger_id=ChargerId("a"), abilities=abilities))
    desk.answer(desk.decide(0.0, {"a": 30.0}).grants, 30.0, GrantOutcome.TIMED_OUT)
    for tick in range(1, 20):
        desk.settle(10.0 * tick, {"a": 10.0})
    assert desk.worst_a("a", 200.0 + RELEASE_S) == 10.0


def _transaction(desk: Desk, number: int, start_s: float, stop_s: float | None = None) -> None:
    common = {"connector_id": outlet("a"), "transaction_id": TransactionId(number)}
    start = {"id_tag": IdTag("tag"), "meter_start_kwh": 0.0, "started_at": instant(start_s).utc}
    if stop_s is None:
        desk.envelope.observe(TransactionStarted(at=instant(start_s), **common, **start))
    else:
        stopped_at = instant(stop_s).utc
        event = TransactionStopped(at=instant(stop_s), **common, meter_stop_kwh=None, stopped_at=stopped_at)
        desk.envelope.observe(event)


def test_grants_tied_to_a_transaction_end_with_it() -> None:
    desk = three()
    _transaction(desk, 7, 0.0)
    desk.settle(1.0, {"a": 20.0})
    _transaction(desk, 7, 0.0, stop_s=30.0)
    assert [desk.worst_a("a", t) for t in (30.0, 30.0 + RELEASE_S)] == [20.0, 0.0]


def test_what_was_set_before_a_transaction_counts_again_after_it() -> None:
    desk = three()
    desk.settle(0.0, {"a": 30.0})
    _transaction(desk, 7, 1.0)
    desk.settle(2.0, {"a": 10.0})
    _transaction(desk, 7, 1.0, stop_s=30.0)
    assert desk.worst_a("a", 60.0) == 30.0


# Trust.


def test_a_fallback_never_read_back_counts_at_the_hardware_maximum() -> None:
    desk = Desk(site(40.0, connector("a"), connector("b")), confirmed=False)
    desk.confirm(outlet("b"), 0.0, -10.0)
    decision = desk.decide(0.0, {"b": 20.0})
    assert decision.allotments[outlet("a")].worst_a == 32.0
    assert limits(decision) == {"b": 8.0}


def test_an_assumed_current_counts_until_the_charger_refuses_its_fallback() -> None:
    desk = Desk(site(40.0, connector("a", assumed_a=0.0)), confirmed=False)
    assert desk.worst_a("a", 0.0) == 0.0
    desk.envelope.observe(FallbackRefused(at=instant(1.0), connector_id=outlet("a"), detail=""))
    assert desk.worst_a("a", 1.0) == 32.0


def test_a_fallback_read_back_frees_room_only_after_the_ramp() -> None:
    desk = Desk(site(40.0, connector("a", fallback_a=6.0)), confirmed=False)
    desk.confirm(outlet("a"), 6.0, 0.0)
    assert [desk.worst_a("a", t) for t in (0.0, RELEASE_S)] == [32.0, 6.0]


@pytest.mark.parametrize("nonsense", [math.nan, -1.0, 40.0])
def test_a_fallback_that_makes_no_sense_is_refused(nonsense: float) -> None:
    desk = three()
    desk.confirm(outlet("a"), nonsense, 0.0)
    assert desk.worst_a("a", 100.0) == 32.0


def test_while_the_worst_case_of_the_unverified_exceeds_the_limit_nobody_is_granted_anything() -> None:
    decision = Desk(site(40.0, connector("a"), connector("b")), confirmed=False).decide(0.0, {"a": 20.0, "b": 20.0})
    assert decision.shedding
    assert limits(decision) == {"a": 0.0, "b": 0.0}
    assert decision.allotments[outlet("a")].bound_by == "not verified"


def test_an_unverified_charger_is_served_where_all_it_can_draw_fits() -> None:
    desk = Desk(site(40.0, connector("a"), connector("b")), confirmed=False)
    desk.confirm(outlet("b"), 0.0, -10.0)
    assert limits(desk.decide(0.0, {"a": 20.0, "b": 8.0})) == {"a": 20.0, "b": 8.0}


def test_a_distrusted_connector_counts_at_its_hardware_maximum_and_squeezes_the_others() -> None:
    desk = three(40.0)
    desk.settle(0.0, {"a": 10.0, "b": 20.0})
    desk.envelope.distrust(outlet("a"), "draws 25 A")
    assert not desk.envelope.is_trusted(outlet("a"))
    decision = desk.settle(1.0, {"a": 10.0, "b": 20.0})
    assert decision.shedding
    assert limits(decision)["b"] == 8.0
    assert not desk.decide(1.0 + RELEASE_S, {"a": 10.0, "b": 20.0}).shedding
    assert desk.envelope.permitted_a(outlet("a"), instant(2.0)) == 10.0
    desk.envelope.trust(outlet("a"))
    assert desk.worst_a("a", 2.0) == 10.0


def test_a_stranger_counts_at_all_it_can_draw_from_the_moment_it_is_adopted() -> None:
    desk = three(40.0)
    charger = ChargerSpec(ChargerId("new"), (connector("new"),), adopted=True)
    desk.envelope.observe(ChargerAdopted(at=instant(0.0), charger=charger))
    assert limits(desk.decide(1.0, {"a": 20.0})) == {"a": 8.0}


def test_a_stranger_cannot_take_the_name_of_a_node() -> None:
    desk = three(40.0)
    charger = ChargerSpec(ChargerId("grid"), (connector("grid"),), adopted=True)
    desk.envelope.observe(ChargerAdopted(at=instant(0.0), charger=charger))
    assert not desk.envelope.knows(outlet("grid"))


# Shedding.


def test_when_a_limit_drops_the_last_in_the_order_are_cut_and_nothing_rises() -> None:
    desk = three(60.0)
    desk.settle(0.0, {"a": 30.0, "b": 20.0, "c": 10.0})
    desk.envelope.observe(limit_changed(38.0, 5.0))
    decision = desk.settle(6.0, {"a": 32.0, "b": 20.0, "c": 10.0})
    assert decision.shedding
    assert limits(decision) == {"b": 8.0, "c": 0.0}
    after = desk.decide(6.0 + RELEASE_S, {"a": 30.0, "b": 20.0, "c": 10.0})
    assert not after.shedding
    assert after.margins[GRID].margin_a == pytest.approx(0.0)


def test_while_shedding_a_connector_nobody_wishes_for_is_asked_to_stop() -> None:
    desk = three(60.0)
    desk.settle(0.0, {"a": 30.0, "b": 20.0})
    assert limits(desk.decide(5.0, {"a": 30.0})) == {}
    desk.envelope.observe(limit_changed(30.0, 6.0))
    assert limits(desk.decide(7.0, {"a": 30.0})) == {"b": 0.0}


def test_no_answer_at_all_and_the_limit_is_kept_again_within_t_safe() -> None:
    desk = three(60.0)
    desk.settle(0.0, {"a": 30.0, "b": 30.0})
    desk.envelope.observe(limit_changed(32.0, 1.0))
    for tick in range(1, int(WINDOW_S)):
        desk.decide(float(tick), {"a": 30.0, "b": 30.0})
    assert not desk.decide(1.0 + WINDOW_S, {"a": 30.0, "b": 30.0}).shedding


def test_an_overload_on_one_phase_freezes_nobody_on_another() -> None:
    desk = Desk(site(40.0, connector("a", phases=(L1,)), connector("b", phases=(L2,))))
    desk.settle(0.0, {"a": 30.0, "b": 10.0})
    decision = desk.decide(1.0, {"a": 30.0, "b": 30.0}, {GRID: (20.0, 0.0, 0.0)})
    assert limits(decision) == {"a": 20.0, "b": 30.0}
    assert decision.grants[0].limit_a == 20.0  # decreases leave first


def test_below_a_limit_that_not_even_silence_keeps_everybody_is_asked_to_stop() -> None:
    desk = three(60.0, fallback_a=6.0)
    desk.settle(0.0, {"a": 20.0, "b": 20.0})
    desk.envelope.observe(limit_changed(10.0, 5.0))
    assert limits(desk.decide(6.0, {"a": 20.0, "b": 20.0, "c": 20.0})) == {"a": 0.0, "b": 0.0, "c": 0.0}


@given(
    low=st.floats(0.0, 120.0), more=st.floats(0.0, 60.0), wishes=st.lists(st.floats(0.0, 40.0), min_size=3, max_size=3)
)
def test_a_lower_limit_never_yields_a_higher_grant(low: float, more: float, wishes: list[float]) -> None:
    asked = dict(zip("abc", wishes, strict=True))
    lower, higher = limits(three(low).decide(0.0, asked)), limits(three(low + more).decide(0.0, asked))
    assert all(limit_a <= higher[name] for name, limit_a in lower.items())


@given(order=st.permutations(["a", "b", "c"]))
def test_without_scarcity_the_order_of_chargers_does_not_matter(order: list[str]) -> None:
    wishes = {"a": 10.0, "b": 12.0, "c": 14.0}
    desk = Desk(site(36.0, *(connector(name) for name in order)))
    assert limits(desk.decide(0.0, {name: wishes[name] for name in order})) == wishes


# Messages.


def test_a_grant_is_renewed_after_a_third_of_its_lease_and_not_before() -> None:
    desk = three()
    desk.settle(0.0, {"a": 16.0})
    assert limits(desk.decide(39.9, {"a": 16.0})) == {}
    assert limits(desk.decide(40.0, {"a": 16.0})) == {"a": 16.0}


def test_a_small_change_is_not_worth_a_message_but_stopping_always_is() -> None:
    desk = three()
    desk.settle(0.0, {"a": 6.2})
    assert limits(desk.decide(1.0, {"a": 6.5})) == {}
    assert limits(desk.decide(1.0, {"a": 6.0})) == {}
    assert limits(desk.decide(1.0, {"a": 0.0})) == {"a": 0.0}


def test_no_decrease_is_too_small_while_a_limit_is_exceeded() -> None:
    desk = three(32.0)
    desk.settle(0.0, {"a": 32.0})
    assert limits(desk.decide(1.0, {"a": 32.0}, {GRID: (0.2, 0.0, 0.0)})) == {"a": 31.8}


def test_a_connector_at_its_fallback_needs_no_message() -> None:
    desk = three()
    assert desk.decide(0.0, {"a": 0.0}).grants == ()


def test_a_lease_without_a_wish_runs_out() -> None:
    desk = three()
    desk.settle(0.0, {"a": 16.0})
    assert all(not desk.decide(float(t), {}).grants for t in range(1, 130, 10))
    assert desk.worst_a("a", WINDOW_S) == 0.0


def test_with_healthy_links_the_wish_is_reached_within_a_ramp_and_two_ticks() -> None:
    desk = three(32.0)
    desk.settle(0.0, {"a": 32.0})
    tick_s = 2.0
    for tick in range(math.ceil(RELEASE_S / tick_s) + 2):
        desk.settle(10.0 + tick * tick_s, {"a": 8.0, "b": 24.0})
    assert desk.envelope.permitted_a(outlet("b"), instant(30.0)) == 24.0


def test_a_dead_charger_takes_from_the_others_what_it_may_draw_and_no_more() -> None:
    desk = three(40.0)
    desk.settle(0.0, {"a": 16.0})
    desk.envelope.observe(ChargerDisconnected(at=instant(1.0), charger_id=ChargerId("a")))
    assert limits(desk.decide(2.0, {"b": 32.0})) == {"b": 24.0}


# Restart.


def restarted(desk: Desk, limit_a: float, at_s: float) -> Desk:
    after = three(limit_a)
    after.envelope = Envelope(site(limit_a, connector("a"), connector("b"), connector("c")))
    fallbacks = {outlet(name): 0.0 for name in "abc"}
    grants = desk.envelope.live_grants()
    after.envelope.observe(GatewayRestarted(at=instant(at_s), grants=grants, confirmed_fallbacks=fallbacks))
    return after


def test_after_a_restart_every_durable_grant_counts_for_a_full_lease_again() -> None:
    desk = three(40.0)
    desk.settle(0.0, {"a": 30.0})
    after = restarted(desk, 40.0, 1000.0)
    assert [after.worst_a("a", 1000.0 + t) for t in (WINDOW_S - 0.01, WINDOW_S)] == [30.0, 0.0]
    assert limits(after.decide(1000.0 + RELEASE_S, {"b": 32.0})) == {"b": 10.0}


def test_after_a_restart_nothing_rises_before_what_was_falling_has_fallen() -> None:
    after = restarted(three(40.0), 40.0, 0.0)
    assert limits(after.decide(RELEASE_S - 0.01, {"a": 16.0})) == {}
    assert limits(after.decide(RELEASE_S, {"a": 16.0})) == {"a": 16.0}


def test_grants_are_numbered_on_after_a_restart() -> None:
    desk = three(40.0)
    desk.settle(0.0, {"a": 30.0})
    (grant,) = restarted(desk, 40.0, 10.0).decide(20.0, {"a": 10.0}).grants
    assert grant.seq == 2


@settings(max_examples=50)
@given(
    limit_a=st.floats(0.0, 200.0),
    limit_kw=st.floats(0.0, 140.0),
    base_a=st.floats(0.0, 50.0),
    wishes=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=3, max_size=3),
)
def test_whatever_is_wished_no_decision_exceeds_a_limit(
    limit_a: float, limit_kw: float, base_a: float, wishes: list[float]
) -> None:
    specs = (
        connector("a", phases=(L2, L3, L1)),
        connector("b", phases=(L2,)),
        connector("c", phases=(L3,), known=False),
    )
    desk = Desk(site(limit_a, *specs, limit_kw=limit_kw))
    base = (base_a, 0.0, base_a)
    decision = desk.decide(0.0, dict(zip("abc", wishes, strict=True)), {GRID: base})
    for worst_a, other_a in zip(decision.margins[GRID].worst_a, base, strict=True):
        assert worst_a <= max(0.0, limit_a - other_a) + 1e-3
    granted = limits(decision)
    total_a = 3 * granted.get("a", 0.0) + granted.get("b", 0.0) + granted.get("c", 0.0)
    assert 0.253 * total_a <= max(0.0, limit_kw - 0.253 * sum(base)) + 1e-3
