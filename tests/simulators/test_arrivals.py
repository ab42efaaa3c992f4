"""Days by chance: whoever comes can be served, alone and together."""

from __future__ import annotations

from itertools import pairwise
from operator import attrgetter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from simulators.base_load import worst_base_a
from simulators.day import plan_sessions
from simulators.limits import Limits
from simulators.scenario import Scenario
from simulators.visit import PlannedSession, feasible_kwh
from tests.simulators.depots import scenario, shipped, small_site
from twin_core.models.quantities import power_kw
from twin_core.models.site import SiteTree


def day(site: SiteTree, what: Scenario, minutes: float, seed: int) -> tuple[PlannedSession, ...]:
    return plan_sessions(what, tuple(site.connector_by_id.values()), minutes, seed, site)


@settings(max_examples=40, deadline=None)
@given(st.floats(5, 600), st.integers(0, 10_000), st.integers(1, 6), st.none() | st.integers(0, 12))
def test_every_visit_lies_inside_the_run_and_can_be_met_by_itself(
    minutes: float, seed: int, chargers: int, count: int | None
) -> None:
    site = small_site(chargers)
    for session in day(site, scenario(arrivals={"count": count} if count is not None else {}), minutes, seed):
        assert 0 < session.arrival_s < session.departure_s <= 0.95 * minutes * 60
        assert session.arrival_s <= 0.45 * minutes * 60
        assert 0 < session.energy_kwh <= 0.95 * feasible_kwh(session, site.connector_by_id[session.connector_id])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_no_connector_and_no_vehicle_is_in_two_visits_at_once(seed: int, count: int) -> None:
    site = small_site(2)
    planned = day(site, scenario(arrivals={"count": count, "stay_share": [0.05, 0.1]}), 300, seed)
    for key in (attrgetter("connector_id"), attrgetter("id_tag")):
        for name in {key(session) for session in planned}:
            mine = [session for session in planned if key(session) == name]
            assert all(one.departure_s < other.arrival_s for one, other in pairwise(mine))


def test_the_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    site, what = shipped("afternoon")
    assert day(site, what, 120, 7) == day(site, what, 120, 7)
    assert day(site, what, 120, 7) != day(site, what, 120, 8)


@pytest.mark.parametrize("minutes", [5, 30, 120, 240])
@pytest.mark.parametrize("seed", [1, 7, 42])
def test_the_shipped_afternoon_can_be_served_within_every_limit_by_an_independent_calculation(
    minutes: int, seed: int
) -> None:
    site, what = shipped("afternoon")
    planned = day(site, what, minutes, seed)
    assert len(planned) >= 12
    assert sum(session.energy_kwh for session in planned) > 0.2 * minutes
    assert unserved_kwh(site, what, planned, minutes) < 1e-6


def unserved_kwh(site: SiteTree, what: Scenario, planned: tuple[PlannedSession, ...], minutes: float) -> float:
    """Least energy left undelivered over all schedules in 60 steps, by linear programming at 95 % of the limits."""
    steps, limits = 60, Limits(site, what.limit_changes)
    step_h = minutes / 60 / steps
    n = len(planned)
    upper, rows, bounds = np.zeros((n, steps)), [], []
    for k, session in enumerate(planned):
        connector = site.connector_by_id[session.connector_id]
        most_a = min(connector.hardware_max_a, session.battery.max_current_a)
        for t in range(steps):
            start, end = t * step_h * 3600, (t + 1) * step_h * 3600
            inside = max(0.0, min(end, session.departure_s) - max(start, session.arrival_s)) / (end - start)
            upper[k, t] = most_a * inside
    worst = {load.node: worst_base_a(load) for load in what.base_load}
    for node in site.nodes:
        below = {c.id for charger in site.chargers_below[node.id] for c in charger.connectors}
        base_a = worst.get(node.id, 0.0)
        for t in range(steps):
            limit_a, limit_kw = limits.at(node.id, (t + 0.5) * step_h * 3600)
            for phase in range(3):
                row = np.zeros((n, steps))
                for k, s in enumerate(planned):
                    phases = site.connector_by_id[s.connector_id].phases[: s.battery.n_phases]
                    row[k, t] = float(s.connector_id in below and phase in phases)
                if limit_a is not None and row.any():
                    rows.append(row.ravel())
                    bounds.append(0.95 * (limit_a - base_a))
            if limit_kw is not None:
                row = np.zeros((n, steps))
                for k, s in enumerate(planned):
                    row[k, t] = power_kw(1.0, s.battery.n_phases) * (s.connector_id in below)
                rows.append(row.ravel())
                bounds.append(0.95 * (limit_kw - power_kw(base_a, 3)))
    for k, s in enumerate(planned):
        row = np.zeros((n, steps))
        row[k, :] = power_kw(step_h, s.battery.n_phases)
        rows.append(row.ravel())
        bounds.append(s.energy_kwh)
    gain = -np.concatenate([np.full(steps, power_kw(step_h, s.battery.n_phases)) for s in planned])
    most = [(0.0, amps) for amps in upper.ravel()]
    solved = linprog(gain, np.array(rows), np.array(bounds), bounds=most)
    assert solved.success
    return float(sum(s.energy_kwh for s in planned) + solved.fun)
