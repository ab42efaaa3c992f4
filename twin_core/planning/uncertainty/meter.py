"""The site's billing meter in cvxpy: what is imported, exported and charged for the peak."""

from __future__ import annotations

from typing import Any

import cvxpy as cp

from twin_core.models.problem import Array, SiteFlows


class Meter:
    """Rows that tie what the site imports to what its sessions take, its base load and its sun.

    Nothing forbids to import and export at once: it never pays while exporting earns no more than importing costs.

    Args:
        site: without a battery.
        hours: shape (n_steps,), length of each step.
        net_kwh: expression, shape (n_steps,), energy of the sessions.
        import_kwh: variable, shape (n_steps,).

    Attributes:
        rows: constraints.
        beside_eur: expression, the demand charge less what is earned by exports.
    """

    def __init__(self, site: SiteFlows, hours: Array, net_kwh: Any, import_kwh: Any) -> None:
        export_kwh, sun_kwh = cp.Variable(hours.size, nonneg=True), cp.Variable(hours.size, nonneg=True)
        self.rows: list[Any] = [
            import_kwh >= 0,
            import_kwh - export_kwh == site.base_kw * hours + net_kwh - sun_kwh,
            sun_kwh <= site.pv_kw * hours,
        ]
        self.beside_eur: Any = -(site.export_eur_per_kwh @ export_kwh)
        if site.demand_charge_eur_per_kw > 0:
            above_kw = cp.Variable(nonneg=True)
            self.rows.append(cp.multiply(import_kwh, 1 / hours) <= site.peak_so_far_kw + above_kw)
            self.beside_eur = self.beside_eur + site.demand_charge_eur_per_kw * above_kw
