"""What flows through the site's own meter beside the sessions, as far ahead as a plan looks."""

from __future__ import annotations

import numpy as np

from twin_core.forecasting.step_price import step_means
from twin_core.models.problem import Horizon, SiteFlows
from twin_core.models.quantities import power_kw
from twin_core.snapshot import Snapshot


def site_flows(snapshot: Snapshot, horizon: Horizon) -> SiteFlows | None:
    """The site's flows, or None where only the sessions' own energy is paid for.

    The base load of now holds on. What a meter shows has the sun in it already: what the sun is expected to give now
    is added back, so that it counts once, in the forecast. Without a meter the base load is the configured worst case.
    """
    terms = snapshot.terms
    if not terms.meter_counts:
        return None
    nothing = np.zeros(horizon.n_steps)
    base = snapshot.nodes[snapshot.site.root.id].base
    if base.net_kw is None:
        base_kw = power_kw(sum(base.estimate_a), 1)
    else:
        sun_kw = 0.0 if terms.pv_kw is None else terms.pv_kw.at(snapshot.now.utc)
        base_kw = base.net_kw + sun_kw
        base_kw = max(base_kw, 0.0) if terms.pv_kw is not None else base_kw
    return SiteFlows(
        base_kw=np.full(horizon.n_steps, base_kw),
        pv_kw=nothing if terms.pv_kw is None else step_means(terms.pv_kw, horizon),
        export_eur_per_kwh=(
            nothing if terms.export_eur_per_kwh is None else step_means(terms.export_eur_per_kwh, horizon)
        ),
        demand_charge_eur_per_kw=terms.demand_charge_eur_per_kw,
        peak_so_far_kw=snapshot.peak_so_far_kw,
    )
