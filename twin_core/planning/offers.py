"""Which powers chargers shall offer in one step, as near to the wanted mean powers as limits and control pilots allow.

Everybody gets what it wants, rounded down to what can be offered. What the rounding took from all is handed out again
in whole offers while their sum stays within what was wanted: those who could not make it up later come first and may
go beyond that sum, then those whose rounding took most, then those with the least laxity. A session that is on is
switched off only for one with a quarter of an hour less laxity, and not at all within its minimum run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin_core.models.problem import Array, PlanningProblem, VehicleBattery
from twin_core.planning.allocation import highest_kw
from twin_core.planning.ladder import Ladder, ladders

KEPT_ON_H = 0.25
"""Laxity by which a session that waits must be worse off than one that is on, to be on in its place."""

ROUNDING = 1e-9
"""Excess over a limit that counts as rounding, as a part of limits above 1."""


def offers(problem: PlanningProblem, wanted_kw: Array, battery_kw: float = 0.0) -> Array:
    """Mean powers of the first step that can be offered, shape (n_sessions,); they keep every limit of that step.

    Args:
        problem: sound, with at least one step.
        wanted_kw: shape (n_sessions,), mean powers of the first step that keep its limits but for what can be offered.
        battery_kw: power into the site's battery in the first step.
    """
    back_kw = np.zeros(len(problem.sessions))
    rungs = ladders(problem)
    for row in np.flatnonzero(wanted_kw < 0):
        back_kw[row] = -rungs[row].at_or_below(-float(wanted_kw[row]))
    while True:
        desk = _Desk.open(problem, rungs, wanted_kw, back_kw, battery_kw)
        desk.serve()
        given_back = _one_too_many(problem, desk.power_kw, back_kw, battery_kw)
        if given_back is None:
            return desk.power_kw + back_kw
        back_kw[given_back] = 0.0


def _one_too_many(problem: PlanningProblem, power_kw: Array, back_kw: Array, battery_kw: float) -> int | None:
    """A session that must not give back because a floor would be broken; None where all floors are kept."""
    for cap in problem.caps:
        if cap.floor is not None and back_kw.any():
            use = float(cap.load @ (power_kw + back_kw)) + cap.battery_load * battery_kw
            if use < cap.floor[0] - ROUNDING * max(1.0, abs(cap.floor[0])) and (cap.load * back_kw).any():
                return int(np.argmin(cap.load * back_kw))
    return None


@dataclass(slots=True)
class _Desk:
    """Where the offers of one step are handed out.

    Attributes:
        wanted_kw: shape (n_sessions,), >= 0.
        highest_kw: shape (n_sessions,), the most each may get in this step by itself.
        power_kw: shape (n_sessions,), given so far.
        room: shape (n_caps,), what is left of each limit.
        budget_kw: what is left of the sum of all wanted powers.
        laxity_h: shape (n_sessions,), how long each could wait.
        needed_kw: shape (n_sessions,), what each needs in this step because it cannot be made up later.
    """

    problem: PlanningProblem
    ladders: list[Ladder]
    wanted_kw: Array
    highest_kw: Array
    power_kw: Array
    room: Array
    slack: Array
    load: Array
    single_load: Array
    budget_kw: float
    laxity_h: Array
    needed_kw: Array

    @classmethod
    def open(
        cls, problem: PlanningProblem, ladders: list[Ladder], wanted_kw: Array, back_kw: Array, battery_kw: float
    ) -> _Desk:
        n_sessions, caps = len(problem.sessions), problem.caps
        load = np.array([c.load for c in caps], dtype=float).reshape(len(caps), n_sessions)
        single = [c.load if c.single_phase_load is None else c.single_phase_load for c in caps]
        limit = np.array(
            [c.limit[0] if c.floor is not None or c.battery_load else max(c.limit[0], 0.0) for c in caps], dtype=float
        )
        battery_load = np.array([c.battery_load for c in caps], dtype=float)
        step_h = float(problem.horizon.hours[0])
        inside = problem.availability()
        left_kwh = np.array([max(0.0, s.energy_kwh) for s in problem.sessions], dtype=float)
        room_kwh = np.array([_room_kwh(s.battery) for s in problem.sessions], dtype=float)
        max_kw = np.array([s.max_kw for s in problem.sessions], dtype=float)
        later_kwh = max_kw * (inside[:, 1:] @ problem.horizon.hours[1:])
        departure_h = np.array([s.departure_h for s in problem.sessions], dtype=float)
        charge_h = np.divide(left_kwh, max_kw, out=np.zeros(n_sessions), where=max_kw > 0)
        kept_on_h = np.array([KEPT_ON_H if s.now_kw > 0 else 0.0 for s in problem.sessions])
        # Who charges more than it wants, to give it back later, could be held to that by nothing that is planned anew.
        gives_back = np.array([s.discharge_max_kw > 0 for s in problem.sessions], dtype=bool)
        wanted_kw = np.clip(wanted_kw, 0.0, np.where(gives_back, left_kwh / step_h, np.inf))
        return cls(
            problem=problem,
            ladders=ladders,
            wanted_kw=wanted_kw,
            highest_kw=np.maximum(np.minimum(highest_kw(problem), np.minimum(left_kwh, room_kwh) / step_h), wanted_kw),
            power_kw=np.zeros(n_sessions),
            room=limit - battery_load * battery_kw - load @ back_kw,
            slack=ROUNDING * np.maximum(1.0, np.abs(np.where(np.isfinite(limit), limit, 1.0))),
            load=load,
            single_load=np.array(single, dtype=float).reshape(load.shape),
            budget_kw=float(wanted_kw.sum()),
            laxity_h=departure_h - charge_h - kept_on_h,
            needed_kw=(left_kwh - later_kwh) / step_h,
        )

    def serve(self) -> None:
        """Hand out the whole step."""
        for row in self._kept_on():
            self._fit(row, max(self.ladders[row].least_kw, self.wanted_kw[row]))
        floor_kw = np.array([self.ladders[row].on_three_phases(w) for row, w in enumerate(self.wanted_kw)])
        use = self.load @ np.array([self.ladders[row].drawn_kw(kw) for row, kw in enumerate(floor_kw)])
        if (use <= self.room + 1e-7 * np.maximum(1.0, use)).all():
            taken = floor_kw > 0
            self.power_kw[taken] = floor_kw[taken]
            self.room = self.room - use
            self.budget_kw -= float(floor_kw.sum())
        else:
            for row in sorted(_rows(floor_kw > 0), key=lambda row: self.laxity_h[row]):
                self._fit(row, floor_kw[row])
        self._hand_out_the_rest()

    def _kept_on(self) -> list[int]:
        """Sessions within their minimum run that the plan would switch off, the most urgent first."""
        rows = [
            row
            for row, s in enumerate(self.problem.sessions)
            if s.now_kw > 0 and s.run_h > 0 and self.ladders[row].on_three_phases(self.wanted_kw[row]) <= 0
        ]
        return sorted(rows, key=lambda row: self.laxity_h[row])

    def _hand_out_the_rest(self) -> None:
        short_kw = self.wanted_kw - self.power_kw
        needed = self.needed_kw > self.power_kw + ROUNDING
        rows = _rows((short_kw > ROUNDING) & (self.highest_kw > self.power_kw + ROUNDING))
        order = sorted(rows, key=lambda row: (not needed[row], -round(float(short_kw[row]), 6), self.laxity_h[row]))
        for row in order:
            ladder = self.ladders[row]
            next_kw = ladder.next_above(self.power_kw[row], self.highest_kw[row])
            if self._affords(row, next_kw, bool(needed[row])) and self._fits(row, next_kw):
                self._give(row, next_kw)
            elif not self.power_kw[row] > 0 and ladder.switches:
                most_kw = self.highest_kw[row] if needed[row] else min(self.highest_kw[row], self.budget_kw)
                self._fit(row, most_kw)
        for row in sorted(_rows(self.power_kw > 0), key=lambda row: self.laxity_h[row]):
            if self.budget_kw > ROUNDING:
                self._fit(row, min(self.highest_kw[row], self.power_kw[row] + self.budget_kw))

    def _affords(self, row: int, mean_kw: float, needed: bool) -> bool:
        return mean_kw > self.power_kw[row] and (needed or mean_kw - self.power_kw[row] <= self.budget_kw + ROUNDING)

    def _use(self, row: int, mean_kw: float) -> Array:
        """What a power puts on each limit; a last bit of energy counts at the power that is offered meanwhile."""
        ladder = self.ladders[row]
        if not mean_kw > 0:
            return np.zeros(len(self.room))
        load = self.single_load if ladder.is_single_phase(mean_kw) else self.load
        used: Array = load[:, row] * ladder.drawn_kw(mean_kw)
        return used

    def _fits(self, row: int, mean_kw: float) -> bool:
        more = self._use(row, mean_kw) - self._use(row, self.power_kw[row])
        return bool(((more <= 0) | (more <= self.room + self.slack)).all())

    def _give(self, row: int, mean_kw: float) -> None:
        self.room = self.room - self._use(row, mean_kw) + self._use(row, self.power_kw[row])
        self.budget_kw -= mean_kw - self.power_kw[row]
        self.power_kw[row] = mean_kw

    def _fit(self, row: int, most_kw: float) -> None:
        """Give the highest that can be offered up to a power and within all limits, if that is more than it has."""
        ladder, room = self.ladders[row], self.room + self._use(row, self.power_kw[row]) + self.slack
        most_kw = min(float(most_kw), float(self.highest_kw[row]))
        for load, choose in ((self.load, ladder.on_three_phases), (self.single_load, ladder.on_one_phase)):
            loaded = np.flatnonzero(load[:, row])
            fitting_kw = float((room[loaded] / load[loaded, row]).min(initial=np.inf))
            mean_kw = choose(min(most_kw, fitting_kw))
            if mean_kw > self.power_kw[row] and self._fits(row, mean_kw):
                self._give(row, mean_kw)
                return


def _room_kwh(battery: VehicleBattery | None) -> float:
    """What still fits into a vehicle that may give back, at the meter; infinite where its battery is not looked at."""
    if battery is None or not battery.discharge_max_kw > 0:
        return np.inf
    return (battery.capacity_kwh - battery.stored_kwh) / battery.charge_efficiency


def _rows(chosen: npt.NDArray[np.bool_]) -> list[int]:
    return [int(row) for row in np.flatnonzero(chosen)]
