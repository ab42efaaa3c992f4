"""From a plan to wishes: never between 0 and 6 A, with room above what a car takes, the most urgent first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import EPOCH, instant
from tests.sites import charger, connector_id, site
from tests.twin_core.facts import plan_of, plugged_in, ready
from twin_core.car_limits import Offer
from twin_core.dispatch import wishes
from twin_core.estimation import EstimationSettings
from twin_core.models import events as ev
from twin_core.models.ids import ChargerId, ConnectorId
from twin_core.models.tariff import flat_tariff
from twin_core.safety.decision import Wish
from twin_core.snapshot import Snapshot, take_snapshot
from twin_core.state import TwinState, apply

A, B = connector_id("A"), connector_id("B")
KW_PER_A = 0.69


def seen(*events: ev.Event, at: float = 0.0, chargers: tuple[str, ...] = ("A", "B", "C")) -> Snapshot:
    state = TwinState(site(*(charger(name) for name in chargers)), flat_tariff(0.2, EPOCH))
    for event in events:
        apply(state, event)
    return take_snapshot(state, instant(at), EstimationSettings())


def wished(snapshot: Snapshot, offers: dict[ConnectorId, Offer] | None = None) -> dict[ConnectorId, Wish]:
    return {wish.connector_id: wish for wish in wishes(snapshot, offers or {}, EstimationSettings())}


def one_car(power_kw: float, **stay: float | None) -> list[ev.Event]:
    return [*ready("A"), *plugged_in("A", **stay), plan_of({"A": [power_kw] * 30})]  # type: ignore[arg-type]


@given(st.floats(0, 30))
def test_no_wish_lies_where_a_control_pilot_cannot_go_or_above_the_hardware(power_kw: float) -> None:
    wish = wished(seen(*one_car(power_kw)))[A]
    assert wish.limit_a < 0.1 or 6 <= wish.limit_a <= 32


def test_what_is_planned_below_the_minimum_is_wished_at_the_minimum_and_says_so() -> None:
    assert wished(seen(*one_car(2.0)))[A] == Wish(A, 6.0, "minimum current")
    assert wished(seen(*one_car(0.0)))[A] == Wish(A, 0.0, "plan")
    assert wished(seen(*one_car(6.9)))[A].limit_a == pytest.approx(10.0)


def test_a_car_is_wished_what_is_worth_offering_to_it() -> None:
    assert wished(seen(*one_car(20.0)), {A: Offer(6.0, 15.0)})[A] == Wish(A, 15.0, "car limit")
    assert wished(seen(*one_car(2.0)), {A: Offer(8.0, 15.0)})[A] == Wish(A, 8.0, "minimum current")
    assert wished(seen(*one_car(0.0)), {A: Offer(8.0, 15.0)})[A] == Wish(A, 0.0, "plan")
    assert wished(seen(*one_car(20.0)), {A: Offer(40.0, 40.0)})[A].limit_a <= 32.0


def test_a_car_limit_never_raises_what_is_planned() -> None:
    assert wished(seen(*one_car(6.9)), {A: Offer(6.0, 30.0)})[A].limit_a == pytest.approx(10.0)


def test_in_the_step_of_its_departure_the_mean_is_spread_over_the_part_the_car_is_here() -> None:
    quarter_h, mean_kw = 0.25, 5 * KW_PER_A
    car = [*ready("A"), *plugged_in("A", stay_h=quarter_h / 2), plan_of({"A": [mean_kw]}, step_h=quarter_h)]
    # Half of the step, less the tenth of the stay that is kept in hand.
    assert wished(seen(*car))[A].limit_a == pytest.approx(10.0 / 0.9)
    staying = [*ready("A"), *plugged_in("A", stay_h=2.0), plan_of({"A": [10 * KW_PER_A]}, step_h=quarter_h)]
    assert wished(seen(*staying))[A].limit_a == pytest.approx(10.0)


def test_who_is_not_in_the_plan_or_beyond_its_horizon_is_wished_nothing() -> None:
    assert wished(seen(*ready("A"), *plugged_in("A")))[A].limit_a == 0
    beyond = seen(*ready("A"), *plugged_in("A"), plan_of({"A": [11.0]}), at=301.0)
    assert wished(beyond)[A].limit_a == 0


def test_the_most_urgent_is_asked_for_first_whatever_order_they_came_in() -> None:
    snapshot = seen(
        *(event for name in "ABC" for event in ready(name)),
        *plugged_in("A", energy_kwh=5.0, stay_h=8.0),
        *plugged_in("B", energy_kwh=20.0, stay_h=1.0),
        *plugged_in("C", energy_kwh=20.0, stay_h=2.0),
    )
    assert [wish.connector_id.charger for wish in wishes(snapshot, {}, EstimationSettings())] == ["B", "C", "A"]


def test_a_charger_that_is_away_is_asked_for_nothing_and_one_without_a_car_neither() -> None:
    gone = ev.ChargerDisconnected(at=instant(1), charger_id=ChargerId("A"))
    assert wished(seen(*one_car(6.9), *ready("B"), gone)) == {}


@given(st.floats(0, 30), st.floats(0, 40))
def test_no_wish_lies_above_what_another_central_system_allows(power_kw: float, imposed_a: float) -> None:
    limited = ev.ConnectorLimited(at=instant(), connector_id=A, limit_a=imposed_a, source="upstream profile 1")
    free, cut = wished(seen(*one_car(power_kw)))[A], wished(seen(*one_car(power_kw), limited))[A]
    assert cut.limit_a == min(free.limit_a, imposed_a)
    assert (cut.reason == "imposed limit") == (free.limit_a > imposed_a)


def test_a_limit_that_is_no_number_allows_nothing_and_one_that_was_lifted_everything() -> None:
    def limited(limit_a: float | None) -> ev.ConnectorLimited:
        return ev.ConnectorLimited(at=instant(), connector_id=A, limit_a=limit_a)

    assert not wished(seen(*one_car(11.0), limited(float("nan"))))[A].limit_a > 0
    assert wished(seen(*one_car(6.9), limited(8.0), limited(None)))[A].limit_a == pytest.approx(10.0)
