"""Base load nobody knows: how often a limit is exceeded when chance plays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.twin_core.planning.problems import car, depot, limit
from twin_core.errors import PlanningError
from twin_core.models.problem import Array
from twin_core.planning.power_allocation import PowerAllocation
from twin_core.planning.uncertainty.chance_caps import SLACK, ChanceCaps

SIGMA = np.array([1.0, 2.0, 3.0, 4.0])
CROWD = depot([car(f"car {i}", 30) for i in range(5)], site_kw=[20, 21, 22, 23], prices=(0.1, 0.3, 0.2, 0.4))


@pytest.mark.parametrize("epsilon", [0.01, 0.05, 0.2])
def test_chance_exceeds_a_lowered_limit_no_more_often_than_allowed(epsilon: float) -> None:
    plan = ChanceCaps({"site": SIGMA}, epsilon).plan(CROWD)
    errors = SIGMA * np.random.default_rng(0).standard_normal((40_000, 4))
    often = (plan.power_kw.sum(axis=0) + errors > CROWD.caps[0].limit).mean(axis=0)
    noise = 3 * np.sqrt(epsilon / 40_000)
    assert (often <= epsilon + noise).all()
    # Full where energy is scarce: nothing is given away either.
    np.testing.assert_allclose(often, epsilon, atol=noise)
    assert (PowerAllocation().plan(CROWD).power_kw.sum(axis=0) + errors > CROWD.caps[0].limit).mean() > 0.45


def test_past_errors_of_any_shape_keep_the_promise_on_errors_not_seen_before() -> None:
    def skewed(n: int, seed: int) -> Array:
        errors: Array = SIGMA * (np.random.default_rng(seed).exponential(1.0, (n, 4)) - 1.0)
        return errors

    epsilon, n_runs = 0.1, 60
    often = []
    for seed in range(n_runs):
        plan = ChanceCaps({}, epsilon, errors={"site": skewed(49, seed)}).plan(CROWD)
        fresh = plan.power_kw.sum(axis=0) + skewed(2000, 1000 + seed)
        often.append((fresh > CROWD.caps[0].limit).mean())
    # The rank of the next error among 50 alike is uniform: exactly 10 %, each plan Beta(5, 45) about it.
    assert np.mean(often) == pytest.approx(epsilon, abs=3 * np.sqrt(5 * 45 / 50**2 / 51 / n_runs / 4))
    gaussian = ChanceCaps({"site": SIGMA}, 0.02).plan(CROWD)
    assert (gaussian.power_kw.sum(axis=0) + skewed(20_000, 7) > CROWD.caps[0].limit).mean() > 1.5 * 0.02


def test_a_floor_is_raised_by_what_past_errors_fell_short() -> None:
    both = replace(CROWD, caps=(replace(CROWD.caps[0], floor=np.full(4, -9.0)),))
    errors = np.linspace(-3.0, 1.0, 19).reshape(-1, 1) * np.ones(4)
    (cap,) = ChanceCaps({}, 0.05, errors={"site": errors}).tightened(both).caps
    assert cap.floor is not None
    np.testing.assert_allclose(cap.floor, -6.0)
    np.testing.assert_allclose(cap.limit, CROWD.caps[0].limit - 1.0)


def test_a_limit_that_stays_slack_is_said_to_change_nothing() -> None:
    roomy = depot([car("a", 8)], site_kw=100, prices=(0.3, 0.1, 0.2, 0.4))
    plan, nominal = ChanceCaps({"site": 5.0}).plan(roomy), PowerAllocation().plan(roomy)
    np.testing.assert_allclose(plan.power_kw, nominal.power_kw)
    assert plan.reasons is not None
    assert plan.reasons.notes == (SLACK,)


def test_where_the_base_load_alone_may_exceed_the_limit_nobody_charges_and_it_is_said() -> None:
    plan = ChanceCaps({"site": np.array([0.0, 100.0, 0.0, 0.0])}).plan(CROWD)
    assert not plan.power_kw[:, 1].any()
    assert plan.reasons is not None
    assert plan.reasons.notes[1].startswith("Cap 'site': in 1 steps the base load alone exceeds it")


def test_only_named_caps_are_lowered_and_never_widened() -> None:
    shut = replace(CROWD, caps=(*CROWD.caps, limit("L1", [1] * 5, [-3, 9, np.inf, 9])))
    site, line = ChanceCaps({"L1": 2.0}).tightened(shut).caps
    np.testing.assert_array_equal(site.limit, CROWD.caps[0].limit)
    np.testing.assert_allclose(line.limit, [-3, 9 - 2 * 1.6448536, np.inf, 9 - 2 * 1.6448536])


def test_a_floor_is_raised_as_its_limit_is_lowered() -> None:
    both = replace(CROWD, caps=(replace(CROWD.caps[0], floor=np.array([-10.0, -1.0, -50.0, 0.0])),))
    (cap,) = ChanceCaps({"site": 2.0}).tightened(both).caps
    assert cap.floor is not None
    np.testing.assert_allclose(cap.floor, [-10 + 2 * 1.6448536, 0, -50 + 2 * 1.6448536, 0])


def test_nonsense_is_refused() -> None:
    with pytest.raises(PlanningError, match="epsilon"):
        ChanceCaps({}, epsilon=0.0)
    with pytest.raises(PlanningError, match="no cap 'roof'"):
        ChanceCaps({"roof": 1.0}).plan(CROWD)
    with pytest.raises(PlanningError, match=r"18 cannot tell what is exceeded in 5\.0% of cases, 19 can"):
        ChanceCaps({}, errors={"site": np.zeros((18, 4))}).plan(CROWD)
    with pytest.raises(PlanningError, match="errors of 'site'"):
        ChanceCaps({}, errors={"site": np.zeros(4)}).plan(CROWD)
    with pytest.raises(PlanningError, match="sigma of 'site'"):
        ChanceCaps({"site": np.nan}).plan(CROWD)
