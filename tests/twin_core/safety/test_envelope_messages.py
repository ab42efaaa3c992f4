"""Which messages the envelope's decisions are worth, and what it knows again after a restart."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import instant
from tests.twin_core.safety.depots import GRID, PARAMETERS, Desk, connector, limits, outlet, site, three
from twin_core.models.events import (
    ChargerDisconnected,
    GatewayRestarted,
)
from twin_core.models.ids import ChargerId
from twin_core.models.quantities import Phase
from twin_core.safety.envelope import Envelope

L1, L2, L3 = Phase.L1, Phase.L2, Phase.L3
RELEASE_S, WINDOW_S = PARAMETERS.release_s, PARAMETERS.window_s


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
