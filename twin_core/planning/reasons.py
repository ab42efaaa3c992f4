"""Why a plan is as it is: which limits bind and what they cost, why each session waits, and what could not be met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from twin_core.models.plan import LimitReason, Plan, ReasonCode, Reasons, SessionReason
from twin_core.models.problem import Array, PlanningProblem, SessionNeed
from twin_core.planning.accounting import charged_kwh
from twin_core.planning.assessment import reassessed
from twin_core.planning.check import TOLERANCE
from twin_core.planning.marginals import Marginals, Mask, marginals_of
from twin_core.planning.reach import battery_room_kwh, stay_kwh
from twin_core.planning.solvers.solver import Duals
from twin_core.planning.unmet import NEGLIGIBLE_KWH, Clock, overloads, unmet_limits

SAME_PRICE_EUR_PER_KWH = 1e-6
"""Prices this close are equal: planners take the earlier of two equal steps by less than that."""


_SHORT = frozenset({ReasonCode.SHORT, ReasonCode.STAY_TOO_SHORT})


def explain(
    problem: PlanningProblem, plan: Plan, duals: Duals | None = None, *, asked: PlanningProblem | None = None
) -> Reasons:
    """Reasons of a plan.

    A limit's price is its dual: what one more ampere or kilowatt of it for an hour would save. `LimitReason.cost_eur`
    is a bound from above: the dual times all that the sessions below could put on the limit beyond it. The optimum is
    convex in a limit, so lifting it never saves more; it can save much less, because the first kilowatt is worth most
    and another limit may bind right behind it. `lifting.lift` solves again without the limit, and is exact.

    Args:
        problem: as the planner looked at it, with the prices that it minimised.
        plan: its answer.
        duals: marginal prices at it; None for rules, whose limits bind without a price and whose order decides alone,
            and for optima that have none, such as those against what is uncertain.
        asked: the problem before the planner looked at it, which knows what batteries have room for.
    """
    at = _with_offers(problem, plan, marginals_of(problem, plan, duals))
    room_kwh = battery_room_kwh(asked or problem)
    sessions = _Sessions(problem, plan, at, room_kwh, by_price=duals is not None or bool(plan.solver))
    told, over = tuple(sessions), overloads(problem, plan)
    return Reasons(
        sessions=told,
        limits=tuple(_limits(problem, at)),
        overloads=over,
        unmet=(*unmet_limits(problem, plan, over), *_unmet(plan, told)),
    )


def explained(problem: PlanningProblem, plan: Plan) -> Plan:
    """The plan with its reasons: its own where it has any, else those that its powers show.

    A planner that asked for less than was wanted does not know who goes short of it: those are told from the powers.

    Raises:
        PlanningError: the plan has no reasons, and none can be found as it breaks a limit or is not made of numbers.
    """
    known = plan.reasons
    if known is None:
        plan = reassessed(problem, plan)
    if known is None or len(known.sessions) < len(problem.sessions):
        notes = () if known is None else known.notes
        return replace(plan, reasons=replace(explain(problem, plan), notes=notes))
    short = plan.unserved_kwh > NEGLIGIBLE_KWH
    silent = [is_short and reason.code not in _SHORT for reason, is_short in zip(known.sessions, short, strict=True)]
    if not any(silent):
        return plan
    anew = explain(problem, plan)
    sessions = tuple(
        replace(mine, marginal_eur_per_kwh=own.marginal_eur_per_kwh) if is_silent else own
        for own, mine, is_silent in zip(known.sessions, anew.sessions, silent, strict=True)
    )
    return replace(plan, reasons=replace(known, sessions=sessions, unmet=anew.unmet))


def with_unmet(problem: PlanningProblem, plan: Plan) -> Plan:
    """The explained plan, with what it leaves unmet of the problem that was asked before limits gave way."""
    reasons, over = plan.reasons or Reasons(), overloads(problem, plan)
    unmet = (*unmet_limits(problem, plan, over), *reasons.unmet)
    return replace(plan, reasons=replace(reasons, overloads=over, unmet=unmet))


def _limits(problem: PlanningProblem, at: Marginals) -> Iterator[LimitReason]:
    """Limits that bind somewhere, the most expensive first."""
    hours = problem.horizon.hours
    binds = at.full & (at.room_wanted > TOLERANCE)
    cost_eur = (at.cap_eur * hours * at.room_wanted).sum(axis=1)
    found = np.flatnonzero(binds.any(axis=1))
    for row in found[np.lexsort((-(binds[found] @ hours), -cost_eur[found]))]:
        price = np.where(binds[row], at.cap_eur[row], 0.0)
        yield LimitReason(problem.caps[row].name, float(binds[row] @ hours), price, float(cost_eur[row]))


class _Sessions:
    """The reasons of all sessions; what is the same for all is worked out once, as arrays."""

    def __init__(self, problem: PlanningProblem, plan: Plan, at: Marginals, room_kwh: Array, *, by_price: bool) -> None:
        hours = problem.horizon.hours
        self._problem, self._plan, self._at, self._by_price = problem, plan, at, by_price
        self._clock = Clock(problem.horizon)
        self._given_kwh = charged_kwh(problem, plan.power_kw).sum(axis=1)
        self._stay_kwh, self._room_kwh = stay_kwh(problem), room_kwh
        inside = at.upper_kw > TOLERANCE
        # A solver may give a limit that one session loads no price of its own: being full is then what counts.
        weight = np.where(at.full, at.cap_eur + TOLERANCE**2 if by_price else 1.0, 0.0) * hours
        binding = np.flatnonzero(at.full.any(axis=1))
        self._dearest = _dearest(at.load, binding, weight[binding] @ inside.T.astype(float))
        now = np.flatnonzero(at.full[:, 0]) if hours.size else np.empty(0, dtype=np.intp)
        price = (at.cap_eur[now, :1] if by_price else np.zeros((now.size, 1))) + TOLERANCE**2
        self._limit_now = _dearest(at.load, now, np.broadcast_to(price, (now.size, len(problem.sessions))))
        open_price = np.where(np.isfinite(at.marginal_eur_per_kwh), at.marginal_eur_per_kwh, np.inf)
        self._next_eur = open_price.min(axis=1, initial=np.inf)
        later = plan.power_kw > TOLERANCE
        later[:, :1] = False
        self._first_later = _first(later)
        price_now = at.energy_eur_per_kwh[0] if hours.size else np.inf
        cheaper = later & (at.energy_eur_per_kwh < price_now - SAME_PRICE_EUR_PER_KWH)
        self._first_cheaper = _first(cheaper)
        dearest_used = np.where(later, at.energy_eur_per_kwh, -np.inf).max(axis=1, initial=-np.inf)
        self._waits_for_price = dearest_used < price_now - SAME_PRICE_EUR_PER_KWH

    def __iter__(self) -> Iterator[SessionReason]:
        for row, session in enumerate(self._problem.sessions):
            code, text, limit = self._why(row, session)
            yield SessionReason(session.session_id, code, text, limit, float(self._next_eur[row]))

    def _why(self, row: int, session: SessionNeed) -> tuple[ReasonCode, str, str]:
        if self._plan.unserved_kwh[row] > NEGLIGIBLE_KWH:
            return self._short(row, session)
        if session.energy_kwh <= NEGLIGIBLE_KWH:
            return ReasonCode.DONE, "wants no more", ""
        if not self._plan.power_kw.size or (session.arrival_h > 0 and self._plan.power_kw[row, 0] <= TOLERANCE):
            return ReasonCode.NOT_HERE_YET, f"expected at {self._clock.after(session.arrival_h)}", ""
        return self._now(row, float(self._plan.power_kw[row, 0]), float(self._at.upper_kw[row, 0]))

    def _short(self, row: int, session: SessionNeed) -> tuple[ReasonCode, str, str]:
        # The planner may have looked at a session that wants less, such as no more than its battery has room for.
        missing_kwh, given_kwh = float(self._plan.unserved_kwh[row]), float(self._given_kwh[row])
        wanted_kwh = given_kwh + missing_kwh
        given = f"{given_kwh:.1f} of {wanted_kwh:.1f} kWh by {self._clock.after(session.departure_h)}"
        never = self._clock.never_here(session)
        if never:
            return ReasonCode.STAY_TOO_SHORT, f"{given_kwh:.1f} of {wanted_kwh:.1f} kWh: {never}", ""
        stay_kwh, room_kwh = float(self._stay_kwh[row]), float(self._room_kwh[row])
        most_kwh = min(stay_kwh, room_kwh)
        if given_kwh >= most_kwh - NEGLIGIBLE_KWH - TOLERANCE * most_kwh:
            why = "full power all along is no more" if stay_kwh <= room_kwh else "no more fits into its battery"
            return ReasonCode.STAY_TOO_SHORT, f"{given}: {why}", ""
        index = int(self._dearest[row])
        if index < 0:
            return ReasonCode.SHORT, f"{given}: more is not worth its price, or the order leaves it none", ""
        limit = self._problem.caps[index].name
        alone = "for too short a stay" if stay_kwh <= room_kwh else "that its battery has no room for"
        beside = f", of which {wanted_kwh - most_kwh:.1f} kWh {alone}" if most_kwh < wanted_kwh else ""
        return ReasonCode.SHORT, f"{given}: {limit} is full, {missing_kwh:.1f} kWh missing{beside}", limit

    def _now(self, row: int, power_kw: float, upper_kw: float) -> tuple[ReasonCode, str, str]:
        """Why a session that is here and will be served gets this much in the first step."""
        first = self._first_later[row]
        if power_kw >= upper_kw - TOLERANCE * max(1.0, upper_kw) and power_kw > TOLERANCE:
            return ReasonCode.FULL_POWER, f"{power_kw:.1f} kW, all it can take", ""
        if power_kw < -TOLERANCE:
            return ReasonCode.CHEAPER_LATER, f"gives {-power_kw:.1f} kW back while energy is dear", ""
        if first < 0 and power_kw > TOLERANCE:
            return ReasonCode.FULL_POWER, f"{power_kw:.1f} kW, all it still wants", ""
        index, cheaper = int(self._limit_now[row]), self._first_cheaper[row]
        if self._by_price and cheaper >= 0 and (self._waits_for_price[row] or index < 0):
            now, then = self._at.energy_eur_per_kwh[[0, cheaper]]
            start = self._clock.step(cheaper)
            return (
                ReasonCode.CHEAPER_LATER,
                f"{_from(power_kw)} from {start} at {then:.3f} instead of {now:.3f} €/kWh",
                "",
            )
        if index >= 0:
            limit = self._problem.caps[index].name
            return ReasonCode.LIMITED, f"{power_kw:.1f} of {upper_kw:.1f} kW: {limit} is full", limit
        if self._by_price:
            is_dearer = self._at.energy_eur_per_kwh[first] > self._at.energy_eur_per_kwh[0] + SAME_PRICE_EUR_PER_KWH
            why = f"by what {self._plan.planner} reckons with" if is_dearer else "no dearer than now"
            return ReasonCode.CHEAPER_LATER, f"{_from(power_kw)} from {self._clock.step(first)}, {why}", ""
        return (
            ReasonCode.RULE,
            f"{_from(power_kw)} from {self._clock.step(first)}, by the order of {self._plan.planner}",
            "",
        )


def _unmet(plan: Plan, told: tuple[SessionReason, ...]) -> Iterator[str]:
    """A sentence on each session that goes short, the largest shortfall first."""
    short = np.flatnonzero(plan.unserved_kwh > NEGLIGIBLE_KWH)
    for row in short[np.argsort(-plan.unserved_kwh[short], kind="stable")]:
        yield f"{told[row].session_id}: {told[row].text}"


def _first(steps: Mask) -> npt.NDArray[np.intp]:
    """The first step of each row in which the mask holds, -1 for none."""
    if not steps.shape[1]:
        return np.full(steps.shape[0], -1)
    return np.where(steps.any(axis=1), np.argmax(steps, axis=1), -1)


def _from(power_kw: float) -> str:
    return f"{power_kw:.1f} kW now, more" if power_kw > TOLERANCE else "charges"


def _with_offers(problem: PlanningProblem, plan: Plan, at: Marginals) -> Marginals:
    """The same, a cap counted as full while only whole currents can be offered and it has no room for the next one."""
    n_offered = min(problem.offerable_steps, problem.horizon.n_steps)
    if not n_offered or not problem.caps:
        return at
    stored_kw = np.zeros(n_offered) if plan.battery_kw is None else plan.battery_kw[:n_offered]
    power_kw = plan.power_kw[:, :n_offered]
    least_kw = np.array([max(s.min_kw, TOLERANCE) for s in problem.sessions]).reshape(-1, 1)
    step_kw = np.array([max(s.step_kw, TOLERANCE) for s in problem.sessions]).reshape(-1, 1)
    wants = power_kw < at.upper_kw[:, :n_offered] - TOLERANCE
    next_kw = np.where(wants, np.where(power_kw > TOLERANCE, step_kw, least_kw), np.inf)
    full = at.full.copy()
    for row, cap in enumerate(problem.caps):
        below = cap.load > 0
        if below.any():
            room = cap.limit[:n_offered] - cap.load @ power_kw - cap.battery_load * stored_kw
            full[row, :n_offered] |= room < (cap.load[below, None] * next_kw[below]).min(axis=0) - TOLERANCE
    # Nobody who wants more is no limit that binds.
    full[:, :n_offered] &= at.full[:, :n_offered] | ((at.load > 0).astype(float) @ wants > 0)
    return replace(at, full=full)


def _dearest(load: Array, caps: npt.NDArray[np.intp], weight: Array) -> npt.NDArray[np.intp]:
    """For each session the cap that weighs most on it, -1 for none; shape (n_sessions,).

    Args:
        load: shape (n_caps, n_sessions).
        caps: which caps to choose from.
        weight: shape (len(caps), n_sessions).
    """
    n_sessions = load.shape[1]
    if not caps.size:
        return np.full(n_sessions, -1)
    felt = load[caps] * weight
    found: npt.NDArray[np.intp] = np.where(felt.max(axis=0) > 0, caps[np.argmax(felt, axis=0)], -1)
    return found
