"""A small day of its own making, lived and scored."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from studies.real_days.case import learned
from studies.real_days.day import STEPS, Day, Stay, step_prices
from studies.real_days.metrics import score
from studies.real_days.network import Network, Wiring
from studies.real_days.rolling import Foresight, live, problem_at, whole_day
from twin_core.planning.table import planner

WHEN = date(2019, 7, 16)


def stay(name: str, arrival: int, departure: int, energy_kwh: float, pair: int = 0) -> Stay:
    return Stay(name, arrival, departure, departure, energy_kwh, pair)


def a_day(*stays: Stay) -> Day:
    return Day("caltech", WHEN, stays, step_prices(WHEN))


def crowded() -> Day:
    return a_day(stay("a", 100, 130, 12.0), stay("b", 102, 126, 4.0, 1), stay("c", 104, 118, 5.0, 2))


@pytest.mark.parametrize("wiring", list(Wiring))
@pytest.mark.parametrize("name", ["fifs", "edf", "quick_charge", "service_first"])
def test_no_limit_is_ever_broken_and_nobody_beats_hindsight(name: str, wiring: Wiring) -> None:
    day, network = crowded(), Network(wiring, 7.0)
    outcome = live(day, network, planner(name), Foresight())
    bound = planner("quick_charge").plan(whole_day(day, network)).power_kw.sum() / 12
    assert outcome.violations == 0
    assert outcome.energy_kwh.sum() <= bound + 1e-4


def test_everybody_gets_all_there_is_time_for_where_nothing_is_scarce() -> None:
    day = crowded()
    outcome = live(day, Network(Wiring.ONE_CAP, 100.0), planner("service_first"), Foresight())
    assert score(day, outcome.power_kw, 0).demands_met == 1.0


def test_what_a_planner_is_told_of_today_holds_nothing_of_those_still_to_come() -> None:
    day = crowded()
    problem = problem_at(day, Network(Wiring.ONE_CAP, 7.0), Foresight(), 101, [0], np.array([12.0, 4.0, 5.0]))
    assert [s.session_id for s in problem.sessions] == ["stay 0"]


def test_expected_arrivals_come_after_those_who_are_here_and_only_from_earlier_days() -> None:
    knows = learned([crowded()], announced=False)
    problem = problem_at(crowded(), Network(Wiring.THREE_LINES, 7.0), knows, 96, [0], np.array([12.0, 4.0, 5.0]))
    expected = [s for s in problem.sessions if s.session_id.startswith("expected")]
    assert problem.sessions[0].session_id == "stay 0"
    assert sum(s.energy_kwh for s in expected) == pytest.approx(21.0)


def test_announced_departures_are_told_with_what_is_likely_and_what_can_be_counted_on() -> None:
    past = [a_day(Stay("a", 96, 96 + 12 * hours, 156, 12.0, 0)) for hours in range(1, 11)] * 3
    today = a_day(Stay("a", 96, 200, 156, 12.0, 0))
    problem = problem_at(today, Network(Wiring.ONE_CAP, 7.0), learned(past, announced=True), 120, [0], np.array([12.0]))
    need = problem.sessions[0]
    assert need.likely_departure_h is not None
    assert 0 < need.departure_h < need.likely_departure_h < 8.0
    certain = problem_at(
        today, Network(Wiring.ONE_CAP, 7.0), learned(past, announced=False), 120, [0], np.array([12.0])
    )
    assert certain.sessions[0].likely_departure_h is None
    assert certain.sessions[0].departure_h == pytest.approx((200 - 120) / 12)


def test_what_is_told_of_a_stay_holds_nothing_of_when_it_truly_ends() -> None:
    past = [a_day(Stay("a", 96, 96 + 12 * hours, 156, 12.0, 0)) for hours in range(1, 11)] * 3
    network, knows = Network(Wiring.ONE_CAP, 7.0), learned(past, announced=True)
    short, long = (a_day(Stay("a", 96, departure, 156, 12.0, 0)) for departure in (130, 280))
    told = [problem_at(day, network, knows, 120, [0], np.array([12.0])).sessions[0] for day in (short, long)]
    assert told[0] == told[1]


def test_demands_worst_decile_and_cost_are_read_off_the_powers() -> None:
    day = a_day(stay("a", 0, 12, 2.0), stay("b", 0, 12, 4.0))
    power_kw = np.zeros((2, STEPS))
    power_kw[:, :12] = 2.0
    result = score(day, power_kw, 0)
    assert result.energy_met == pytest.approx(4 / 6)
    assert result.demands_met == 0.5
    assert result.worst_decile == pytest.approx(0.5)
    assert result.cost_per_kwh == pytest.approx(0.05623)
    assert result.jain == pytest.approx(1.5**2 / (2 * 1.25))


def test_lines_loaded_alike_carry_what_the_cap_would() -> None:
    caps = Network(Wiring.THREE_LINES, 30.0).caps([0, 1, 2], 1)
    assert [float(cap.load @ np.full(3, 10.0)) for cap in caps] == pytest.approx([float(caps[0].limit[0])] * 3)
