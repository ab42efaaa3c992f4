"""Whether a scenario can happen at a site: everything that it names must be there, and bear what it says."""

from __future__ import annotations

from simulators.base_load import worst_base_a
from simulators.events import place
from simulators.scenario import Scenario
from twin_core.errors import ConfigurationError
from twin_core.models.ids import NodeId
from twin_core.models.site import SiteTree


def check_fit(scenario: Scenario, site: SiteTree) -> None:
    """Refuse a scenario that cannot happen at a site.

    Raises:
        ConfigurationError: with the field and its value.
    """
    _check_chargers(scenario, site)
    _check_hardware(scenario, site)
    _check_nodes(scenario, site)


def _check_chargers(scenario: Scenario, site: SiteTree) -> None:
    connectors = {str(charger.id): len(charger.connectors) for charger in site.chargers}
    named = [("quirks", name) for name in scenario.quirks]
    named += [("hardware", name) for name in scenario.hardware]
    named += [("settings", name) for name in scenario.settings]
    named += [(f"events.{k}.charger", event.charger) for k, event in enumerate(scenario.events)]
    for table, name in named:
        if name not in connectors:
            raise ConfigurationError(f"scenario.{table}: there is no charger {name!r} at {site.name}")
    for k, event in enumerate(scenario.events):
        charger, number = place(event)
        if number is not None and number > connectors[charger]:
            raise ConfigurationError(f"scenario.events.{k}.connector: {charger} has no connector {number}")


def _check_hardware(scenario: Scenario, site: SiteTree) -> None:
    connectors = {str(charger.id): charger.connectors for charger in site.chargers}
    for name, build in scenario.hardware.items():
        for k, rotation in enumerate(build.rotation):
            if k >= len(connectors[name]) or len(connectors[name][k].phases) < 3:
                raise ConfigurationError(
                    f"scenario.hardware.{name}.rotation: {name} has no connector {k + 1} of three phases to turn "
                    f"{rotation.value}"
                )


def _check_nodes(scenario: Scenario, site: SiteTree) -> None:
    named = [("base_load", load.node) for load in scenario.base_load]
    named += [("meters", meter.node) for meter in scenario.meters]
    named += [("limit_changes", change.node) for change in scenario.limit_changes]
    for table, name in named:
        if NodeId(name) not in site.node_by_id:
            raise ConfigurationError(f"scenario.{table}: there is no node {name!r} at {site.name}")
    for load in scenario.base_load:
        stated_a, worst_a = site.node_by_id[NodeId(load.node)].base_load_worst_a, worst_base_a(load)
        if not worst_a <= stated_a:
            raise ConfigurationError(
                f"scenario.base_load: {load.node} may draw {worst_a:.1f} A a phase, more than the site's "
                f"base_load_worst_a = {stated_a:g}: raise that, or lower kw, unbalance or noise"
            )
    for change in scenario.limit_changes:
        node = site.node_by_id[NodeId(change.node)]
        if change.until_min is not None and node.limit_a is None and node.limit_kw is None:
            raise ConfigurationError(
                f"scenario.limit_changes: {change.node} has no limit to go back to: leave out until_min"
            )
