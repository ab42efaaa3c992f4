"""What is believed where nobody measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import EPOCH, instant
from tests.sites import charger, connector_id, site
from twin_core.estimation import EstimationSettings, base_loads, departure, estimated_soc, usable_current_a
from twin_core.models import events as ev
from twin_core.models.charger import ConnectorReading
from twin_core.models.ids import IdTag, NodeId, SessionId, TransactionId
from twin_core.models.session import ChargingRequest, Session, Vehicle
from twin_core.models.tariff import flat_tariff
from twin_core.state import TwinState, apply

A, GRID = connector_id("A"), NodeId("grid")
EXACT = EstimationSettings(base_tolerance=0.0, base_reserve_a=0.0)


def depot(worst_a: float = 40.0) -> TwinState:
    return TwinState(site(charger("A"), base_load_worst_a=worst_a, metered=True), flat_tariff(0.2, EPOCH))


def grid_metered(at: float, amps: float) -> ev.NodeMetered:
    return ev.NodeMetered(at=instant(at), node_id=GRID, current_a=(amps, amps, amps), power_kw=amps * 0.69)


def car_metered(at: float, amps: float) -> ev.ConnectorMetered:
    return ev.ConnectorMetered(at=instant(at), connector_id=A, reading=ConnectorReading(current_a=(amps, amps, amps)))


def session(**changes: object) -> Session:
    plain = Session(
        SessionId("s"), A, TransactionId(1), IdTag("EV"), instant(), EPOCH, 0.0, Vehicle(IdTag("EV"), battery_kwh=50.0)
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def lived_through(
    state: TwinState, seconds: int, car_a: Callable[[int], float], base_a: Callable[[int], float]
) -> None:
    """A car reports every five seconds, a meter every second; the meter sees what the car truly draws."""
    for second in range(seconds):
        if second % 5 == 0:
            apply(state, car_metered(second, car_a(second)))
        apply(state, grid_metered(second, base_a(second) + car_a(second)))


def bound_at(state: TwinState, second: int) -> float:
    return base_loads(state, instant(second), EXACT)[GRID].bound_a[0]


def test_base_load_is_the_meter_less_what_the_chargers_report() -> None:
    state = depot()
    lived_through(state, 30, lambda _: 16.0, lambda _: 10.0)
    assert bound_at(state, 30) == pytest.approx(10.0)
    assert base_loads(state, instant(30), EXACT)[GRID].trusted


@pytest.mark.parametrize("at", range(20, 26))
def test_a_car_that_stops_between_two_samples_never_hides_base_load(at: int) -> None:
    """The meter already sees the car gone while the charger's last sample still shows it."""
    state = depot()
    for end in range(20, 60):
        state = depot()
        lived_through(state, end, lambda second: 16.0 if second < at else 0.0, lambda _: 10.0)
        assert bound_at(state, end) >= 10.0 - 1e-9


@pytest.mark.parametrize("at", range(20, 26))
def test_a_car_that_starts_does_not_pass_for_base_load(at: int) -> None:
    state = depot()
    for end in range(20, 60):
        state = depot()
        lived_through(state, end, lambda second: 16.0 if second >= at else 0.0, lambda _: 10.0)
        assert bound_at(state, end) == pytest.approx(10.0)


def test_a_rise_of_the_base_load_is_seen_as_soon_as_every_charger_has_reported() -> None:
    state = depot()
    lived_through(state, 28, lambda _: 16.0, lambda second: 10.0 if second < 20 else 18.0)
    assert bound_at(state, 28) == pytest.approx(18.0)


def test_where_cars_never_rest_even_unsteady_samples_count() -> None:
    state = depot()
    lived_through(state, 60, lambda second: 16.0 if second % 10 < 5 else 6.0, lambda _: 10.0)
    assert bound_at(state, 60) >= 10.0


def test_a_stale_meter_gives_way_to_the_worst_case() -> None:
    state = depot(worst_a=40.0)
    lived_through(state, 20, lambda _: 0.0, lambda _: 10.0)
    fresh, stale = (base_loads(state, instant(t), EXACT)[GRID] for t in (30, 36))
    assert (fresh.bound_a[0], stale.bound_a[0]) == (10.0, 40.0)
    assert not stale.trusted


def test_a_meter_never_heard_counts_as_the_worst_case_not_as_zero() -> None:
    assert base_loads(depot(worst_a=40.0), instant(), EXACT)[GRID].bound_a == (40.0, 40.0, 40.0)


def test_a_meter_that_repeats_itself_while_cars_come_and_go_is_not_believed() -> None:
    state = depot(worst_a=40.0)
    for tick in range(40):
        apply(state, car_metered(tick, 16.0 if tick > 10 else 0.0))
        apply(state, grid_metered(tick, 12.0))
    assert base_loads(state, instant(40), EXACT)[GRID].bound_a == (40.0, 40.0, 40.0)


def test_export_counts_as_nothing() -> None:
    state = depot()
    lived_through(state, 20, lambda _: 0.0, lambda _: -30.0)
    assert bound_at(state, 20) == 0.0


@given(st.lists(st.tuples(st.sampled_from([0.0, 6.0, 16.0, 32.0]), st.integers(1, 12)), min_size=1, max_size=8))
def test_whatever_the_car_does_a_steady_base_load_is_never_underestimated(stays: list[tuple[float, int]]) -> None:
    course = [current for current, seconds in stays for _ in range(seconds)] * 4
    state = depot(worst_a=0.0)
    lived_through(state, len(course), lambda second: course[second], lambda _: 10.0)
    load = base_loads(state, instant(len(course)), EXACT)[GRID]
    assert not load.trusted or load.bound_a[0] >= 10.0 - 1e-9


def test_state_of_charge_follows_delivered_energy_where_the_car_is_silent() -> None:
    request = ChargingRequest(soc_at_arrival=0.4)
    assert estimated_soc(session(request=request, soc=0.4, energy_kwh=25.0), EstimationSettings()) == pytest.approx(
        0.86
    )
    assert estimated_soc(session(request=request, soc=0.7, energy_kwh=25.0), EstimationSettings()) == 0.7
    assert estimated_soc(session(energy_kwh=25.0), EstimationSettings()) is None


def test_near_full_a_battery_takes_less() -> None:
    spec = charger("A").connectors[0]
    full = usable_current_a(session(soc=0.5), spec, EstimationSettings())
    tapering = usable_current_a(session(soc=0.9), spec, EstimationSettings())
    assert (full, tapering) == (32.0, pytest.approx(16.0))


def test_a_departure_nobody_announced_is_assumed_and_never_in_the_past() -> None:
    late = instant(20 * 3600)
    assert departure(session(), instant(), EXACT) == EPOCH + timedelta(hours=8)
    assert departure(session(), late, EXACT) == late.utc + timedelta(hours=1)
    gone = session(request=ChargingRequest(departure=EPOCH - timedelta(hours=1)))
    assert departure(gone, instant(), EXACT) > EPOCH


def test_a_reading_that_was_held_up_is_not_taken_off_what_the_meter_shows_now() -> None:
    """The car stops at second 60; from then on its readings come a quarter of a minute late."""
    state, base_a = depot(), 12.0

    def drawn_a(second: int) -> float:
        return 6.0 if second < 60 else 0.0

    for second in range(150):
        if second % 5 == 0:
            taken = second if second < 60 else second - 15
            told = replace(car_metered(second, drawn_a(taken)), reported_at=instant(taken).utc)
            apply(state, told)
        apply(state, grid_metered(second, base_a + drawn_a(second)))
        if second > 20:
            # Never less than it is; more where nobody knows yet what the car draws.
            assert base_loads(state, instant(second), EXACT)[GRID].estimate_a[0] >= base_a - 1e-9


def test_a_charger_whose_clock_is_wrong_is_believed_all_the_same() -> None:
    state, wrong = depot(), timedelta(minutes=-40)
    for second in range(100):
        if second % 5 == 0:
            apply(state, replace(car_metered(second, 6.0), reported_at=instant(second).utc + wrong))
        apply(state, grid_metered(second, 18.0))
    assert bound_at(state, 100) == pytest.approx(12.0)
