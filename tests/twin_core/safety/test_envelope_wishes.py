"""What the envelope grants: wishes that fit, by phase and power, and nothing that makes no sense."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twin_core.safety.depots import GRID, Desk, connector, limit_changed, limits, outlet, site, three
from twin_core.models.quantities import Phase

L1, L2, L3 = Phase.L1, Phase.L2, Phase.L3


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
