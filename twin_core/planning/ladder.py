"""The powers that one session can be offered in one step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_core.models.problem import PlanningProblem, SessionNeed

LEAST_PART = 1e-6
"""A vehicle that is there for a smaller part of a step is not there."""

SNAP = 1e-7
"""A power this little below an offer counts as that offer, as a part of powers above 1 kW: solvers round."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Mean powers over one step that come from an offer a control pilot can make while the vehicle is there.

    An offer is 0, or at least the minimum and a whole number of setpoint steps; and a session may get the last of its
    energy whatever mean power that is: it is offered more, and stops by itself.

    Attributes:
        part: of the step in which the vehicle is there.
        min_kw: lowest offer on three phases, or on the one phase of a session that does not switch.
        step_kw: distance of offers; 0 where any can be made.
        last_kw: mean power that brings all the energy still wanted.
        single_min_kw: lowest offer after switching to one phase; infinite where the session does not switch.
        single_step_kw: distance of offers there.
        single_max_kw: highest offer there.
    """

    part: float
    min_kw: float
    step_kw: float
    last_kw: float
    single_min_kw: float = np.inf
    single_step_kw: float = 0.0
    single_max_kw: float = 0.0

    @property
    def switches(self) -> bool:
        """Whether it can be switched to one phase."""
        return self.single_min_kw < self.min_kw

    @property
    def least_kw(self) -> float:
        """Mean power of the lowest offer on three phases."""
        return min(_whole_above(self.min_kw, self.step_kw) * self.part, max(self.last_kw, 0.0))

    def at_or_below(self, mean_kw: float) -> float:
        """The highest offer on three phases up to a mean power, 0 where there is none."""
        if not self.part > 0:
            return 0.0
        offered_kw = _whole_below(mean_kw / self.part, self.step_kw)
        return offered_kw * self.part if offered_kw >= self.min_kw - _snap(self.min_kw) else 0.0

    def on_three_phases(self, mean_kw: float) -> float:
        """The same, or the last of the energy."""
        if self._brings_the_last(mean_kw) and not self.is_single_phase(self.last_kw):
            return self.last_kw
        return self.at_or_below(mean_kw)

    def on_one_phase(self, mean_kw: float) -> float:
        """The highest offer below all those on three phases up to a mean power; 0 where the session does not switch."""
        if not (self.switches and self.part > 0):
            return 0.0
        if self._brings_the_last(mean_kw) and self.is_single_phase(self.last_kw):
            return self.last_kw
        below_kw = self.min_kw - max(2 * _snap(self.min_kw), 0.5 * self.single_step_kw)
        offered_kw = _whole_below(min(mean_kw / self.part, self.single_max_kw, below_kw), self.single_step_kw)
        return offered_kw * self.part if offered_kw >= self.single_min_kw - _snap(self.single_min_kw) else 0.0

    def is_single_phase(self, mean_kw: float) -> bool:
        """Whether a mean power is one of a session switched to one phase: exactly those below the other offers."""
        return self.switches and 0 < mean_kw < self.part * (self.min_kw - _snap(self.min_kw))

    def next_above(self, mean_kw: float, highest_kw: float) -> float:
        """The next offer on three phases above a mean power; 0 where that is above the highest."""
        next_kw = self.least_kw if not mean_kw > 0 else mean_kw + self.step_kw * self.part
        if self.step_kw == 0 and mean_kw > 0:
            next_kw = highest_kw
        if next_kw >= self.last_kw - _snap(self.last_kw):
            next_kw = self.last_kw
        if self.is_single_phase(next_kw):
            return 0.0
        return next_kw if next_kw <= highest_kw + _snap(highest_kw) else 0.0

    def drawn_kw(self, mean_kw: float) -> float:
        """Mean power to reserve: that of the offer under which a last bit of energy flows."""
        if not mean_kw > 0:
            return 0.0
        least_kw = self.single_min_kw if self.is_single_phase(mean_kw) else self.min_kw
        return max(mean_kw, least_kw * self.part)

    def _brings_the_last(self, mean_kw: float) -> bool:
        return self.part > 0 and self.last_kw > 0 and mean_kw >= self.last_kw - _snap(self.last_kw)


def ladders(problem: PlanningProblem) -> list[Ladder]:
    """The ladder of every session in the first step of a problem."""
    inside = problem.availability()[:, 0]
    step_h = float(problem.horizon.hours[0])
    return [
        ladder(session, float(part), max(0.0, session.energy_kwh) / step_h)
        for session, part in zip(problem.sessions, inside, strict=True)
    ]


def ladder(session: SessionNeed, part: float, last_kw: float) -> Ladder:
    """The ladder of one session.

    Args:
        session: whose.
        part: of the step in which it is there, in [0, 1].
        last_kw: mean power over the step that brings all the energy it still wants.
    """
    part = part if part > LEAST_PART else 0.0
    single = session.single_phase
    if single is None or not session.min_kw > 0:
        return Ladder(part, session.min_kw, session.step_kw, last_kw)
    # Both minima are the same current, so that their ratio is that of a step in A.
    single_step_kw = session.step_kw * single.min_kw / session.min_kw
    return Ladder(part, session.min_kw, session.step_kw, last_kw, single.min_kw, single_step_kw, single.max_kw)


def can_be_offered(rungs: Ladder, mean_kw: float, tolerance: float) -> bool:
    """Whether a mean power, last bits of energy aside, is 0 or one of the offers, either way of the current."""
    offered_kw = abs(mean_kw) / rungs.part if rungs.part > 0 else abs(mean_kw)
    excess = tolerance * max(1.0, offered_kw)
    if offered_kw <= excess:
        return True
    if offered_kw >= rungs.min_kw - excess:
        return _is_whole(offered_kw, rungs.step_kw, excess)
    single = rungs.single_min_kw - excess <= offered_kw <= rungs.single_max_kw + excess
    return single and _is_whole(offered_kw, rungs.single_step_kw, excess)


def _is_whole(kw: float, step_kw: float, excess: float) -> bool:
    return step_kw == 0 or abs(kw - round(kw / step_kw) * step_kw) <= excess


def _snap(kw: float) -> float:
    return SNAP * max(1.0, kw)


def _whole_below(kw: float, step_kw: float) -> float:
    return kw if step_kw == 0 else float(np.floor((kw + _snap(kw)) / step_kw) * step_kw)


def _whole_above(kw: float, step_kw: float) -> float:
    return kw if step_kw == 0 else float(np.ceil((kw - _snap(kw)) / step_kw) * step_kw)
