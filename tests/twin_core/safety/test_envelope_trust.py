"""Whom the envelope trusts with what, and who gives way when a limit drops."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import instant
from tests.twin_core.safety.depots import GRID, PARAMETERS, Desk, connector, limit_changed, limits, outlet, site, three
from twin_core.models.charger import ChargerSpec
from twin_core.models.events import (
    ChargerAdopted,
    FallbackRefused,
)
from twin_core.models.ids import ChargerId
from twin_core.models.quantities import Phase

L1, L2 = Phase.L1, Phase.L2
RELEASE_S, WINDOW_S = PARAMETERS.release_s, PARAMETERS.window_s


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
