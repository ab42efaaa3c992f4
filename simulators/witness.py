"""One schedule that is known to respect every limit of a site: the witness that a day of sessions can be met."""

from __future__ import annotations

from simulators.base_load import worst_base_a
from simulators.limits import Limits
from simulators.scenario import Scenario
from simulators.vehicle import Battery
from twin_core.models.ids import ConnectorId, NodeId
from twin_core.models.quantities import (
    MINIMUM_CURRENT_A,
    NOMINAL_VOLTAGE_V,
    power_kw,
)
from twin_core.models.site import SiteTree

_SLOTS = 120
_USABLE = 0.8
"""Share of a limit that the schedule uses: an envelope keeps margins for leases, ramps and unsure meters."""


class Witness:
    """Room left at every node in equal slots of a run; each session served takes its part."""

    def __init__(self, site: SiteTree, scenario: Scenario, minutes: float) -> None:
        self._site = site
        self._slot_s = minutes * 60 / _SLOTS
        base_a = _base_below(site, scenario)
        limits = Limits(site, scenario.limit_changes)
        self._room_a: dict[NodeId, list[list[float]]] = {}
        self._room_kw: dict[NodeId, list[float]] = {}
        self._used_a: dict[ConnectorId, list[float]] = {}
        for node in site.nodes:
            at = [limits.at(node.id, (slot + 0.5) * self._slot_s) for slot in range(_SLOTS)]
            usable = [_USABLE * (float("inf") if a is None else max(0.0, a - base_a[node.id])) for a, _ in at]
            self._room_a[node.id] = [[room] * 3 for room in usable]
            base_kw = power_kw(base_a[node.id], 3)
            self._room_kw[node.id] = [
                _USABLE * (float("inf") if kw is None else max(0.0, kw - base_kw)) for _, kw in at
            ]

    def serve(
        self, connector_id: ConnectorId, battery: Battery, begin_s: float, end_s: float, energy_kwh: float
    ) -> float:
        """Give a session what it wants, and never less than 6 A, as early as there is room; what it got, in kWh."""
        connector = self._site.connector_by_id[connector_id]
        phases = connector.phases[: battery.n_phases]
        path = [node.id for node in self._site.path_by_charger[connector_id.charger]]
        most_a = min(connector.hardware_max_a, battery.max_current_a)
        used = self._used_a.setdefault(connector_id, [0.0] * _SLOTS)
        given_kwh = 0.0
        for slot in range(_SLOTS):
            hours = self._overlap_h(slot, begin_s, end_s)
            if hours <= 0 or given_kwh >= energy_kwh:
                continue
            used_a = used[slot]
            room_a = most_a - used_a
            for node in path:
                room_a = min(room_a, self._room_kw[node][slot] * 1000 / (NOMINAL_VOLTAGE_V * len(phases)))
                room_a = min(room_a, *(self._room_a[node][slot][phase] for phase in phases))
            wanted_a = (energy_kwh - given_kwh) / (power_kw(1.0, len(phases)) * hours)
            amps = min(room_a, max(wanted_a, MINIMUM_CURRENT_A - used_a))
            if not amps > 0 or used_a + amps < MINIMUM_CURRENT_A:
                continue
            used[slot] += amps
            for node in path:
                self._room_kw[node][slot] -= power_kw(amps, len(phases))
                for phase in phases:
                    self._room_a[node][slot][phase] -= amps
            given_kwh += power_kw(amps, len(phases)) * hours
        return given_kwh

    def _overlap_h(self, slot: int, begin_s: float, end_s: float) -> float:
        start = slot * self._slot_s
        return (min(end_s, start + self._slot_s) - max(begin_s, start)) / 3600


def _base_below(site: SiteTree, scenario: Scenario) -> dict[NodeId, float]:
    """Worst base current per phase through each node: the site's own figure or the scenario's, whichever is more."""
    simulated = {load.node: worst_base_a(load) for load in scenario.base_load}
    total = {node.id: max(node.base_load_worst_a, simulated.get(node.id, 0.0)) for node in site.nodes}
    for node in reversed(site.nodes):
        if node.parent is not None:
            total[node.parent] += total[node.id]
    return total
