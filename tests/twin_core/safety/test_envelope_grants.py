"""What counts in the envelope, and until when: grants proved, uncertain, ended and lost."""

from __future__ import annotations

import math

import pytest

from tests.fakes import instant
from tests.twin_core.safety.depots import GRID, PARAMETERS, Desk, limits, outlet, three
from twin_core.models.charger import ChargerAbilities, ChargerIdentity, ProfilePurpose
from twin_core.models.events import (
    ChargerBooted,
    ChargerCommissioned,
    ChargerConnected,
    ChargerDisconnected,
    TransactionStarted,
    TransactionStopped,
)
from twin_core.models.grant import GrantOutcome
from twin_core.models.ids import ChargerId, IdTag, TransactionId

RELEASE_S, WINDOW_S = PARAMETERS.release_s, PARAMETERS.window_s


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
