"""The whole problem straight for HiGHS: only what can be decided, and whole numbers only where they must be."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from twin_core.errors import PlanningError
from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.accounting import bill
from twin_core.planning.check import violations
from twin_core.planning.solvers.highs_caps import CapRows, Envelope, duals_of, envelope_of, write_caps
from twin_core.planning.solvers.highs_engine import Answer, Engine
from twin_core.planning.solvers.highs_offers import round_trips
from twin_core.planning.solvers.highs_sessions import write_sessions
from twin_core.planning.solvers.highs_site import meter_kw, write_battery, write_meter
from twin_core.planning.solvers.linear_program import LinearProgram, Mask, is_whole, lower_bound
from twin_core.planning.solvers.rows import Draft, Index, Terms
from twin_core.planning.solvers.solver import Solution

logger = logging.getLogger(__name__)

_TIGHT = 1e-7
"""Gap, relative, at which an objective counts as its own bound: a tenth of what a proved plan may have."""

_BURNT_KW = 1e-7
"""Power in and out at once that is more than rounding."""


@dataclass(frozen=True, slots=True)
class Apart:
    """Where charging and giving back at once are ruled out by a binary, at sessions and at the site's battery."""

    sessions: Mask
    battery: Mask

    @classmethod
    def nowhere(cls, problem: PlanningProblem) -> Apart:
        """Nothing is ruled out."""
        n_steps = problem.horizon.n_steps
        return cls(np.zeros((len(problem.sessions), n_steps), dtype=bool), np.zeros(n_steps, dtype=bool))

    def also(self, other: Apart) -> Apart:
        """Both of them."""
        return Apart(self.sessions | other.sessions, self.battery | other.battery)


@dataclass(frozen=True, slots=True)
class Written:
    """A problem as a linear program, and the way back from a point of it to powers."""

    problem: PlanningProblem
    lp: LinearProgram
    envelope: Envelope
    terms: Terms
    caps: CapRows
    battery: tuple[Index, Index] | None
    peak: Index


@dataclass(frozen=True, slots=True)
class Powers:
    """A point as powers, with what went in and out at once taken out of both.

    Attributes:
        burning: where it did.
    """

    power_kw: Array
    battery_kw: Array | None
    grid_kw: Array | None
    objective_eur: float
    burning: Apart


class Highs:
    """Every part of the problem, in rows and columns as few as it needs.

    First without any whole number: that gives prices and a bound. Charging and giving back at once burns energy, which
    a linear program does where that costs nothing or pays. What costs nothing is taken out of the answer; only where
    it pays, and where setpoints are whole-numbered, a mixed-integer program follows.

    A problem of sessions and caps is begun near its end, see `headstart`: two to four times faster where limits leave
    some room, and hardly slower where they leave none.

    A three-phase charger that can switch to one phase does so only in the offerable steps, for powers below what
    three phases can offer.
    """

    name = "highs"

    def __init__(self, *, headstart: bool = True) -> None:
        self._engine, self._headstart = Engine(), headstart

    def covers(self, problem: PlanningProblem) -> bool:
        """Everything."""
        return True

    def solve(self, problem: PlanningProblem, *, deadline_s: float | None = None) -> Solution:
        """See `Solver.solve`."""
        self._engine.allow(deadline_s)
        apart = Apart.nowhere(problem)
        written = write(problem, apart)
        relaxed = self._engine.relaxed(written.lp, self._start(written))
        powers = powers_of(written, relaxed.x)
        bound_eur = lower_bound(written.lp, relaxed.row_duals)
        if is_whole(written.lp, relaxed.x) and _keeps(written, powers, relaxed):
            return _solution(powers, relaxed, bound_eur, written)
        while True:
            apart = apart.also(powers.burning)
            written = write(problem, apart)
            answer = self._engine.whole(written.lp)
            powers = powers_of(written, answer.x)
            if _keeps(written, powers, answer):
                return _solution(powers, answer, bound_eur, None)
            if (
                not (powers.burning.sessions & ~apart.sessions).any()
                and not (powers.burning.battery & ~apart.battery).any()
            ):
                raise PlanningError("the solver's powers do not keep the problem's limits")

    def _start(self, written: Written) -> Array | None:
        """A point near the optimum of sessions below caps; None where the site has more to decide, or says no to it."""
        if not self._headstart or written.problem.site is not None or not written.terms.column.size:
            return None
        from twin_core.planning.solvers.headstart import near_optimum  # noqa: PLC0415 -- numba, as in the table

        return written.terms.point(near_optimum(written.problem), written.lp.cost.size)


def write(problem: PlanningProblem, apart: Apart) -> Written:
    """The problem as a linear program."""
    draft = Draft()
    envelope = envelope_of(problem)
    terms = write_sessions(draft, problem, envelope, apart.sessions)
    battery = write_battery(draft, problem, apart.battery)
    caps = write_caps(draft, problem, envelope, terms, battery)
    peak = write_meter(draft, problem, envelope, terms, battery)
    return Written(problem, draft.program(), envelope, terms, caps, battery, peak)


def powers_of(written: Written, x: Array) -> Powers:
    """A point as powers. Where power went in and out at once, both are lowered so that as much stays in the battery."""
    problem, terms, site = written.problem, written.terms, written.problem.site
    shape = (len(problem.sessions), problem.horizon.n_steps)
    burning = Apart.nowhere(problem)
    power_kw = terms.power_kw(x, shape)
    if written.envelope.back_kw.any():
        part_kw = np.where(terms.kw > 0, terms.kw, 0.0)
        into_kw = np.bincount(terms.session * shape[1] + terms.step, part_kw * x[terms.column], power_kw.size)
        charged_kw = np.asarray(into_kw, dtype=np.float64).reshape(shape)
        power_kw, burnt = _netted(charged_kw, charged_kw - power_kw, round_trips(problem)[:, None])
        burning = Apart(burnt, burning.battery)
    battery_kw = grid_kw = None
    if written.battery is not None and site is not None and site.battery is not None:
        into, out = written.battery
        kept = site.battery.charge_efficiency * site.battery.discharge_efficiency
        battery_kw, burnt = _netted(x[into], x[out], np.full(into.size, kept))
        burning = Apart(burning.sessions, burnt)
    if site is not None:
        has_peak = written.peak.size and site.demand_charge_eur_per_kw > 0
        peak_kw = site.peak_so_far_kw + float(x[written.peak[0]]) if has_peak else np.inf
        grid_kw = meter_kw(problem, site, power_kw, battery_kw, peak_kw)
    owed = bill(problem, power_kw, battery_kw=battery_kw, grid_kw=grid_kw)
    return Powers(power_kw, battery_kw, grid_kw, owed.objective_eur, burning)


def _netted(into_kw: Array, out_kw: Array, round_trip: Array) -> tuple[Array, Mask]:
    """Power into a battery, and where some of it had been burnt."""
    at_once_kw = np.minimum(into_kw, out_kw / round_trip)
    net_kw = into_kw - out_kw - at_once_kw * (1.0 - round_trip)
    return net_kw, (at_once_kw > _BURNT_KW) & (round_trip < 1.0)


def _keeps(written: Written, powers: Powers, answer: Answer) -> bool:
    """Whether the powers are worth what the point was, and keep the limits without what was burnt.

    Where nothing was burnt they are the point itself, which the engine has checked.
    """
    if not (powers.burning.sessions.any() or powers.burning.battery.any()):
        return True
    claimed_eur = written.lp.cost_eur(answer.x)
    if not powers.objective_eur <= claimed_eur + _TIGHT * max(1.0, abs(claimed_eur)):
        return False
    return not violations(written.problem, powers.power_kw, battery_kw=powers.battery_kw, grid_kw=powers.grid_kw)


def _solution(powers: Powers, answer: Answer, bound_eur: float, relaxed: Written | None) -> Solution:
    """What is answered.

    Args:
        bound_eur: of the problem without whole numbers; holds for the one with them, but may be far below.
        relaxed: the linear program whose duals are the problem's; None where it has whole numbers.
    """
    is_tight = powers.objective_eur - bound_eur <= 10 * _TIGHT * max(1.0, abs(powers.objective_eur))
    was_searched = relaxed is None or relaxed.lp.integer.any()
    duals = None
    if relaxed is not None and not was_searched:
        duals = duals_of(
            relaxed.problem, relaxed.envelope, relaxed.caps, relaxed.terms, answer.row_duals, answer.column_duals
        )
    return Solution(
        power_kw=powers.power_kw,
        proved=answer.proved,
        battery_kw=powers.battery_kw,
        grid_kw=powers.grid_kw,
        duals=duals,
        # A search that ended is a proof of its own, which a bound that is only loose must not call in doubt.
        bound_eur=bound_eur if np.isfinite(bound_eur) and (is_tight or not (answer.proved and was_searched)) else None,
    )
