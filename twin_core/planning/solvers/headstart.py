"""Powers that keep every limit and are near the cheapest, in a millisecond or two: where HiGHS begins.

Steps are filled in ascending price and nobody ever makes way for anybody, so this is no solver. But most sessions end
where they belong, and a simplex that begins there has a third of the way to go, or less where limits leave room.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from twin_core.models.problem import Array, PlanningProblem
from twin_core.planning.bounds import bounds_of
from twin_core.planning.solvers.kernel_loops import (
    NEGLIGIBLE_KWH,
    Indices,
    Network,
    by_freedom,
    network,
)
from twin_core.planning.solvers.machine_code import compiled


def near_optimum(problem: PlanningProblem) -> Array:
    """Charging powers below all caps, shape (n_sessions, n_steps), cheap but not the cheapest.

    Tapers, ramps, floors and what vehicles could give back are not looked at: it is a place to begin, not a plan.
    """
    bounds, hours = bounds_of(problem), problem.horizon.hours
    price = problem.import_eur_per_kwh()
    shortfall = np.array([s.shortfall_eur_per_kwh for s in problem.sessions], dtype=float)
    of_session = csr_matrix(bounds.load.T)
    net = network(bounds.upper_kw * hours, bounds.wanted_kwh, np.zeros(hours.size))
    loads = (of_session.indptr.astype(np.int64), of_session.indices.astype(np.int64), of_session.data)
    _fill_all(net, *loads, bounds.limit * hours, price, shortfall)
    return np.asarray(net.placed_kwh / hours)


@compiled
def _fill_all(
    net: Network, first: Indices, cap: Indices, load: Array, room: Array, price: Array, shortfall: Array
) -> None:
    """Fill the steps in ascending price, the least free sessions first.

    Args:
        net: nothing placed yet.
        first: shape (n_sessions + 1,), where in `cap` and `load` those of each session begin.
        cap: the caps that a session loads.
        load: what a kWh of it puts on them.
        room: shape (n_caps, n_steps), what each cap can still take; used up here.
        price: shape (n_steps,), €/kWh.
        shortfall: shape (n_sessions,), €/kWh.
    """
    later_kwh = net.upper_kwh.sum(axis=1)
    for k in np.argsort(price):
        present = net.present[net.offset[k] : net.offset[k + 1]]
        if not present.size:
            continue
        wanted_kwh, freedom = np.empty(present.size), np.empty(present.size)
        for n, i in enumerate(present):
            pays = price[k] < shortfall[i]
            wanted_kwh[n] = min(net.open_kwh[i], net.upper_kwh[i, k]) if pays else 0.0
            freedom[n] = later_kwh[i] - net.open_kwh[i]
            later_kwh[i] -= net.upper_kwh[i, k]
        present, wanted_kwh = by_freedom(present, wanted_kwh, freedom)
        for n, i in enumerate(present):
            kwh = wanted_kwh[n]
            for entry in range(first[i], first[i + 1]):
                kwh = min(kwh, room[cap[entry], k] / load[entry])
            if kwh > NEGLIGIBLE_KWH:
                net.placed_kwh[i, k] = kwh
                net.open_kwh[i] -= kwh
                for entry in range(first[i], first[i + 1]):
                    room[cap[entry], k] = max(0.0, room[cap[entry], k] - load[entry] * kwh)
