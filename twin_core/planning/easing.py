"""By how much hard limits must give way: a linear program in which each has its price, the site's limits the dearest.

Kept beside `contradictions`, which asks it, because linear programs are imported only where one has to be solved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin_core.models.problem import Array, Cap, PlanningProblem
from twin_core.planning.solvers.highs_caps import envelope_of
from twin_core.planning.solvers.highs_engine import Engine
from twin_core.planning.solvers.highs_sessions import write_sessions
from twin_core.planning.solvers.highs_site import write_battery
from twin_core.planning.solvers.rows import Draft, Index, Terms

_EXCESS = 1000.0
"""Price of a kWh above a limit of the site, beside 1 for a kWh that the battery lacks at the end."""

_WORST = 1.0
"""Price of the highest kW above each limit: of all ways to the least excess, the one that spreads it."""

_NEGLIGIBLE = 1e-7
"""An excess below this is the solver's rounding."""


@dataclass(frozen=True, slots=True)
class Excess:
    """How much must give way.

    Attributes:
        above: shape (n_caps, n_steps), what must flow beyond each limit, in its unit, >= 0.
        below: shape (n_caps, n_steps), the same beyond each floor.
        end_kwh: what the site's battery can hold at the end; 0 where there is none.
    """

    above: Array
    below: Array
    end_kwh: float


def least_excess(problem: PlanningProblem) -> Excess:
    """The least energy beyond the limits of the site, then the least that the battery lacks at the end.

    Raises:
        PlanningError: the solver failed.
    """
    plain = _without_money(problem)
    draft, n_steps = Draft(), plain.horizon.n_steps
    apart = np.zeros((len(plain.sessions), n_steps), dtype=bool)
    terms = write_sessions(draft, plain, envelope_of(plain), apart)
    battery = write_battery(draft, plain, np.zeros(n_steps, dtype=bool))
    above = [_elastic(draft, problem, cap, terms, battery, upwards=True) for cap in problem.caps]
    below = [_elastic(draft, problem, cap, terms, battery, upwards=False) for cap in problem.caps]
    lacking = _end(draft, problem, battery)
    x = Engine().relaxed(draft.program()).x
    store = None if problem.site is None else problem.site.battery
    return Excess(
        above=np.array([_values(x, columns, n_steps) for columns in above]).reshape(len(above), n_steps),
        below=np.array([_values(x, columns, n_steps) for columns in below]).reshape(len(below), n_steps),
        end_kwh=0.0 if store is None else store.end_kwh - float(x[lacking].sum()),
    )


def _without_money(problem: PlanningProblem) -> PlanningProblem:
    """Sessions and battery alone, with no price on anything they do, and any power to be set."""
    sessions = tuple(
        replace(
            s,
            shortfall_eur_per_kwh=0.0,
            single_phase=None,
            battery=None if s.battery is None else replace(s.battery, wear_eur_per_kwh=0.0),
        )
        for s in problem.sessions
    )
    site = problem.site
    if site is not None and site.battery is not None:
        free = replace(site.battery, end_kwh=0.0, wear_eur_per_kwh=0.0)
        site = replace(site, battery=free)
    return replace(problem, sessions=sessions, site=site, caps=(), offerable_steps=0)


def _elastic(
    draft: Draft,
    problem: PlanningProblem,
    cap: Cap,
    terms: Terms,
    battery: tuple[Index, Index] | None,
    *,
    upwards: bool,
) -> Index:
    """Rows of a limit or a floor, and a column a step for what goes beyond; no columns where doing nothing keeps it."""
    hours, heaviest = problem.horizon.hours, max(float(cap.load.max(initial=0.0)), cap.battery_load)
    sign = 1.0 if upwards else -1.0
    limit = cap.limit if upwards else _no_floor(cap)
    if not heaviest > 0 or not np.isfinite(limit).any():
        return np.zeros(0, dtype=np.int64)
    rows = draft.rows(-np.inf, limit, limit.size)
    used = np.flatnonzero(cap.load[terms.session] > 0)
    put = sign * cap.load[terms.session[used]] * terms.kw[used]
    draft.put(rows[terms.step[used]], terms.column[used], put)
    if battery is not None and cap.battery_load > 0:
        draft.put(rows, battery[0], sign * cap.battery_load)
        draft.put(rows, battery[1], -sign * cap.battery_load)
    beyond = np.maximum(-limit, 0.0)
    if not beyond.any():
        return np.zeros(0, dtype=np.int64)
    columns = draft.columns(0.0, beyond)
    draft.price(columns, _EXCESS * hours / heaviest)
    draft.put(rows, columns, -1.0)
    worst = draft.columns(0.0, beyond.max(keepdims=True))
    draft.price(worst, _WORST / heaviest)
    below_worst = draft.rows(-np.inf, 0.0, columns.size)
    draft.put(below_worst, columns, 1.0)
    draft.put(below_worst, np.repeat(worst, columns.size), -1.0)
    return columns


def _no_floor(cap: Cap) -> Array:
    """The floor as a limit on what flows back; infinite where there is none."""
    return np.full_like(cap.limit, np.inf) if cap.floor is None else -cap.floor


def _end(draft: Draft, problem: PlanningProblem, battery: tuple[Index, Index] | None) -> Index:
    """The column of what the site's battery lacks at the end; none where nothing is asked of it."""
    store = None if problem.site is None else problem.site.battery
    if store is None or battery is None or not store.end_kwh > 0:
        return np.zeros(0, dtype=np.int64)
    lacking = draft.columns(0.0, np.array([store.end_kwh]))
    draft.price(lacking, 1.0)
    row = draft.rows(store.end_kwh - store.stored_kwh, np.inf, 1)
    hours = problem.horizon.hours
    into, out = battery
    draft.put(np.repeat(row, into.size), into, store.charge_efficiency * hours)
    draft.put(np.repeat(row, out.size), out, -hours / store.discharge_efficiency)
    draft.put(row, lacking, 1.0)
    return lacking


def _values(x: Array, columns: Index, n_steps: int) -> Array:
    if not columns.size:
        return np.zeros(n_steps)
    found = x[columns]
    cleaned: Array = np.where(found > _NEGLIGIBLE, found, 0.0)
    return cleaned
