"""What samples prove of a charger's keeping its limits."""

from __future__ import annotations

import pytest

from connectors.ocpp.proof import ARRIVES_WITHIN_S, FOLLOWED_S, STANDS_FOR, Proof


def told_to_come_down(drawn_a: float = 11.0) -> Proof:
    proof = Proof()
    proof.told(1, 8.0, drawn_a, 0.0)
    return proof


def stands(proof: Proof, *currents_a: float, from_s: float = FOLLOWED_S, fresh: bool = True) -> bool:
    return [proof.stands(1, current_a, from_s + 5.0 * n, fresh=fresh) for n, current_a in enumerate(currents_a)][-1]


def test_a_draw_that_came_down_to_a_limit_and_stands_there_is_proof() -> None:
    proof = told_to_come_down()
    assert not stands(proof, *[8.0] * (STANDS_FOR - 1))
    assert stands(proof, 8.0)


def test_samples_before_a_vehicle_can_have_followed_do_not_count() -> None:
    assert not stands(told_to_come_down(), *[8.0] * STANDS_FOR, from_s=0.0)


@pytest.mark.parametrize("current_a", [0.0, 6.9, 8.3, 11.0, 32.0])
def test_what_draws_beside_the_limit_is_not_proven(current_a: float) -> None:
    assert not stands(told_to_come_down(), *[current_a] * (2 * STANDS_FOR))


def test_a_draw_that_falls_by_itself_long_after_a_limit_came_is_no_proof() -> None:
    proof = told_to_come_down(drawn_a=16.0)
    assert not stands(proof, *[16.0] * 10)
    proof.told(1, 8.0, 12.0, 60.0)
    assert not stands(proof, *[8.0] * (2 * STANDS_FOR), from_s=ARRIVES_WITHIN_S + 1.0)


def test_a_draw_that_came_down_in_time_may_be_seen_standing_after_it() -> None:
    assert stands(told_to_come_down(), *[8.0] * STANDS_FOR, from_s=ARRIVES_WITHIN_S - 1.0)


def test_one_sample_beside_the_limit_begins_the_count_anew() -> None:
    assert not stands(told_to_come_down(), 8.0, 8.0, 9.5, 8.0, 8.0)


def test_a_vehicle_that_drew_no_more_before_proves_nothing() -> None:
    assert not stands(told_to_come_down(drawn_a=8.0), *[8.0] * (2 * STANDS_FOR))


def test_the_same_limit_said_again_takes_nothing_back_and_a_refused_one_proves_nothing() -> None:
    proof = told_to_come_down()
    proof.told(1, 8.0, 8.0, 20.0)
    assert stands(proof, *[8.0] * STANDS_FOR)
    proof.refused(1)
    assert not stands(proof, *[8.0] * STANDS_FOR)


def test_on_a_line_that_delays_only_a_draw_that_came_down_in_time_is_proof() -> None:
    assert stands(told_to_come_down(), *[8.0] * STANDS_FOR, fresh=False)
    assert not stands(told_to_come_down(), 11.0, *[8.0] * STANDS_FOR, fresh=False)
    assert stands(told_to_come_down(), 11.0, *[8.0] * STANDS_FOR, fresh=True)


def test_a_power_that_stays_the_same_is_no_current_that_came_down() -> None:
    proof = Proof()
    power_kw = 22.0 * 0.23  # a liar's on one phase, which on two would be 11 A, and on three about 8 A
    assert proof.current_a(1, power_kw, 11.0) == pytest.approx(11.0)
    proof.told(1, 8.0, 11.0, 0.0)
    assert proof.current_a(1, power_kw, 8.0) == pytest.approx(11.0)


def test_a_power_from_a_register_may_err_by_an_ampere() -> None:
    exact, coarse = told_to_come_down(), told_to_come_down()
    proven = [
        (
            exact.stands(1, current_a, FOLLOWED_S + n, fresh=True),
            coarse.stands(1, current_a, FOLLOWED_S + n, fresh=True, exact=False),
        )
        for n, current_a in enumerate((7.3, 8.4, 8.9))
    ]
    assert proven[-1] == (False, True)
