"""The twin of a site and its settings, as the site file has them."""

from __future__ import annotations

from datetime import datetime

from gateway.site_file import SiteFile, fleet, site_terms, tariff
from twin_core.cycle import Twin, TwinSettings
from twin_core.estimation import EstimationSettings
from twin_core.models.site import SiteTree
from twin_core.problem import PlanningSettings
from twin_core.runtime import RuntimeSettings
from twin_core.safety.envelope import EnvelopeParameters


def new_twin(site: SiteFile, tree: SiteTree, since: datetime, settings: TwinSettings) -> Twin:
    """The twin of a site as its file describes it."""
    return Twin(
        tree,
        since=since,
        tariff=tariff(site, since),
        terms=site_terms(site, since),
        fleet=fleet(site),
        settings=settings,
    )


def twin_settings(site: SiteFile) -> TwinSettings:
    """What the site file says of the twin."""
    control = site.control
    return TwinSettings(
        envelope=EnvelopeParameters(lease_s=control.lease_s, margin_a=control.margin_a, ramp_s=control.ramp_s),
        estimation=EstimationSettings(
            meter_stale_s=min((meter.stale_after_s for meter in site.meters), default=15.0),
            assumed_energy_kwh=control.assumed_energy_kwh,
            assumed_stay_h=control.assumed_stay_h,
        ),
        planning=PlanningSettings(
            step_min=control.step_min,
            horizon_h=control.horizon_h,
            grades_min=control.grades_min,
            min_run_min=control.min_run_min,
        ),
    )


def runtime_settings(site: SiteFile) -> RuntimeSettings:
    """What the site file says of the rhythms of control."""
    return RuntimeSettings(tick_s=site.control.tick_s, plan_every_s=site.control.plan_every_s)
