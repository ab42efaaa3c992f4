"""The optimum of the thesis' cohort model (3.3), solved by HiGHS and bounded by a check of our own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from twin_core.models.problem import Array
from twin_core.planning.cohort_classes import ROUNDING, CohortModel, CohortRun, followed
from twin_core.planning.solvers.certificate import is_proof
from twin_core.planning.solvers.highs_engine import Engine
from twin_core.planning.solvers.linear_program import LinearProgram, lower_bound


def cheapest(model: CohortModel, *, energy_kwh: float | None = None, most_waiting: float | None = None) -> CohortRun:
    """The best way to charge the classes.

    Args:
        model: the day.
        energy_kwh: deliver exactly this much and count money only, to compare costs at equal energy; None for 3.3 as
            it is printed.
        most_waiting: besides, no more car-steps of waiting than this, see `CohortRun.waiting_car_steps`.

    Raises:
        PlanningError: there is no way, such as when `energy_kwh` cannot be delivered, or none was found.
    """
    n_steps, n = model.n_steps, model.n_classes - 1
    rows = [_dynamics(model), _left_at_the_end(model), _limit(model)]
    if (model.chargeable[1:] < 1).any():
        rows.append(_only_who_may(model))
    if energy_kwh is not None:
        # A band, not a point: energy that rounding put beyond reach counts as delivered.
        car_steps = np.array([energy_kwh / model.car_step_kwh])
        band = 1e-9 * np.maximum(1.0, car_steps)
        rows.append(_Rows(_row(model, charging=1.0, idle=0.0), car_steps - band, car_steps + band))
    weight = np.tile(model.dissatisfaction[1:], n_steps)
    if most_waiting is not None:
        waits = _row(model, charging=weight, idle=weight)
        rows.append(_Rows(waits, np.array([-np.inf]), np.array([most_waiting + ROUNDING])))
    wait_eur = model.waiting_eur * weight if energy_kwh is None else np.zeros_like(weight)
    money = np.repeat(model.price_eur_per_kwh * model.car_step_kwh, n)
    everybody = float(model.start().sum() + model.arrivals.sum())
    program = LinearProgram(
        cost=np.concatenate([money + wait_eur, wait_eur]),
        matrix=sparse.vstack([block.matrix for block in rows], format="csc"),
        row_lower=np.concatenate([block.lower for block in rows]),
        row_upper=np.concatenate([block.upper for block in rows]),
        lower=np.zeros(2 * n_steps * n),
        upper=np.full(2 * n_steps * n, everybody),
        integer=np.zeros(2 * n_steps * n, dtype=bool),
    )
    answer = Engine().relaxed(program, interior=True)
    charging = np.zeros((n_steps, n + 1))
    charging[:, 1:] = answer.x[: n_steps * n].reshape(n_steps, n)
    proved = is_proof(program.cost_eur(answer.x), lower_bound(program, answer.row_duals))
    return replace(followed(model, charging), proved=proved)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Columns: who charges, by step and class from 1 on; then who is there in that step and does not."""

    matrix: sparse.csr_array
    lower: Array
    upper: Array


def _row(model: CohortModel, *, charging: Array | float, idle: Array | float) -> sparse.csr_array:
    each = np.ones(model.n_steps * (model.n_classes - 1))
    return sparse.csr_array(np.concatenate([charging * each, idle * each])[None])


def _dynamics(model: CohortModel) -> _Rows:
    """State by state: x(t+1) − A·x(t) − B·c(t) = a(t), where x is who charges and who does not."""
    each, steps = sparse.eye_array(model.n_classes - 1), sparse.eye_array(model.n_steps)
    before = sparse.eye_array(model.n_steps, k=-1)
    stays = np.diag(model.stays[1:])
    charging = sparse.kron(steps, each) - sparse.kron(before, sparse.csr_array(stays + model.moves[1:, 1:]))
    idle = sparse.kron(steps, each) - sparse.kron(before, sparse.csr_array(stays))
    come = np.vstack([model.start(), model.arrivals[:-1]])[:, 1:].ravel()
    return _Rows(sparse.hstack([charging, idle]), come, come)


def _left_at_the_end(model: CohortModel) -> _Rows:
    """No class is below 0 after the last step either."""
    last = sparse.csr_array(np.eye(1, model.n_steps, k=model.n_steps - 1))
    stays = np.diag(model.stays[1:])
    charging = sparse.kron(last, sparse.csr_array(stays + model.moves[1:, 1:]))
    matrix = sparse.hstack([charging, sparse.kron(last, sparse.csr_array(stays))])
    return _Rows(matrix, -model.arrivals[-1, 1:], np.full(model.n_classes - 1, np.inf))


def _only_who_may(model: CohortModel) -> _Rows:
    """Within the class: c(t) ≤ (part that may charge)·x(t), of which c(t) ≤ x(t) is in the columns already."""
    part = np.tile(model.chargeable[1:], model.n_steps)
    matrix = sparse.hstack([sparse.diags_array(1.0 - part), -sparse.diags_array(part)])
    return _Rows(matrix, np.full(part.size, -np.inf), np.zeros(part.size))


def _limit(model: CohortModel) -> _Rows:
    """1ᵀc(t) ≤ P̄(t)/P₀."""
    n = model.n_classes - 1
    together = sparse.kron(sparse.eye_array(model.n_steps), np.ones((1, n)))
    matrix = sparse.hstack([together, sparse.csr_array((model.n_steps, model.n_steps * n))])
    return _Rows(matrix, np.full(model.n_steps, -np.inf), model.limits_kw / model.power_kw)
