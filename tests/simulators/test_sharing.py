"""How connectors divide a supply: what each rule promises, and what none may break."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.sharing import Claim, Sharing, share
from twin_core.models.quantities import ALL_PHASES, Phase

L1, L2, L3 = ALL_PHASES


def divided(claims: list[Claim], limit_a: float, rule: Sharing = Sharing.EQUAL) -> list[float]:
    return list(share(claims, limit_a, rule, connectors=len(claims)).values())


def test_an_equal_share_leaves_to_others_what_one_does_not_want() -> None:
    assert divided([Claim(1, 8.0), Claim(2, 32.0), Claim(3, 32.0)], 40.0) == [8.0, 16.0, 16.0]


def test_when_equal_shares_are_too_small_the_last_to_come_goes_without() -> None:
    assert divided([Claim(1, 32.0, since_s=9.0), Claim(2, 32.0, since_s=1.0)], 10.0) == [0.0, 10.0]


def test_first_come_takes_all_and_the_next_gets_the_rest_if_it_is_enough() -> None:
    claims = [Claim(1, 20.0, since_s=5.0), Claim(2, 20.0, since_s=1.0), Claim(3, 20.0, since_s=7.0)]
    assert divided(claims, 32.0, Sharing.FIRST_COME) == [12.0, 20.0, 0.0]


def test_a_fixed_part_is_kept_for_connectors_that_nobody_uses() -> None:
    assert share([Claim(1, 32.0)], 32.0, Sharing.PER_CONNECTOR, connectors=2) == {1: 16.0}
    assert share([Claim(1, 32.0)], 10.0, Sharing.PER_CONNECTOR, connectors=2) == {1: 0.0}


def test_connectors_on_different_phases_take_nothing_from_each_other() -> None:
    assert divided([Claim(1, 32.0, (L1,)), Claim(2, 32.0, (L2,)), Claim(3, 32.0, (L3,))], 32.0) == [32.0] * 3


def test_one_phase_of_three_that_is_full_holds_back_only_who_uses_it() -> None:
    claims = [Claim(1, 32.0, ALL_PHASES), Claim(2, 32.0, (L1,)), Claim(3, 32.0, (L2,))]
    assert divided(claims, 32.0) == [16.0, 16.0, 16.0]
    assert divided([replaced(claims[0], 8.0), *claims[1:]], 32.0) == [8.0, 24.0, 24.0]


def replaced(claim: Claim, wish_a: float) -> Claim:
    return Claim(claim.number, wish_a, claim.phases)


def test_who_says_that_little_does_not_pay_is_not_given_little() -> None:
    assert divided([Claim(1, 32.0), Claim(2, 32.0, least_a=14.0)], 24.0) == [24.0, 0.0]


phases = st.sampled_from([ALL_PHASES, (L1,), (L2,), (L3,), (L2, L3, L1), (L1, L2)])


@st.composite
def some_claims(draw: st.DrawFn) -> list[Claim]:
    return [
        Claim(
            number,
            draw(st.sampled_from([0.0, 5.0, 6.0, 7.3, 10.0, 16.0, 20.5, 32.0])),
            draw(phases),
            float(draw(st.integers(0, 3))),
            draw(st.sampled_from([6.0, 6.0, 10.0])),
        )
        for number in range(1, draw(st.integers(1, 5)) + 1)
    ]


def load(claims: list[Claim], granted: dict[int, float], phase: Phase) -> float:
    return sum(granted[c.number] for c in claims if phase in c.phases)


@settings(max_examples=300, deadline=None)
@given(some_claims(), st.floats(0, 80), st.sampled_from(list(Sharing)), st.sampled_from([0.1, 1.0]))
def test_no_rule_gives_more_than_the_supply_or_the_wish_or_less_than_one_can_use(
    claims: list[Claim], limit_a: float, rule: Sharing, step_a: float
) -> None:
    granted = share(claims, limit_a, rule, connectors=5, step_a=step_a)
    assert granted.keys() == {c.number for c in claims}
    for phase in ALL_PHASES:
        assert load(claims, granted, phase) <= limit_a * (1 + 1e-6) + 1e-9
    for claim in claims:
        got = granted[claim.number]
        assert got == 0 or claim.least_a <= got <= claim.wish_a + 1e-9


@settings(max_examples=300, deadline=None)
@given(some_claims(), st.floats(0, 80))
def test_an_equal_share_could_be_larger_only_at_the_cost_of_someone_who_has_no_more(
    claims: list[Claim], limit_a: float
) -> None:
    granted = share(claims, limit_a, Sharing.EQUAL, connectors=5)
    for claim in (c for c in claims if 0 < granted[c.number] <= c.wish_a - 0.2):
        full = [p for p in claim.phases if load(claims, granted, p) > limit_a - 0.1 * len(claims) - 1e-6]
        assert full
        richest = [max(granted[c.number] for c in claims if p in c.phases) for p in full]
        assert min(richest) <= granted[claim.number] + 0.1 + 1e-6


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(Sharing, 2)))
def test_the_rules_differ(one: Sharing, other: Sharing) -> None:
    claims = [Claim(1, 20.0), Claim(2, 32.0, since_s=1.0)]
    by_rule = [share(claims, 32.0, rule, connectors=3) for rule in (one, other)]
    assert by_rule[0] != by_rule[1]
