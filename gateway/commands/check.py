"""`depot check`: what the gateway makes of a site file, and every fault that keeps it from running safely."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from gateway.scenario_file import find_site, read_scenario
from gateway.site_faults import site_faults
from gateway.site_file import SiteFile, site_tree
from gateway.site_twin import runtime_settings, twin_settings
from twin_core.errors import ConfigurationError
from twin_core.models.ids import NodeId
from twin_core.models.site import Node, SiteTree

SUMMARY = "print the effective configuration of a site, and every commissioning fault"
DESCRIPTION = """\
Reads a SITE.toml (or a scenario) the way `depot run` would, prints the installation it
describes with every default filled in, and lists each fault that would keep it from being
run safely. Exits 0 only when there is none.

example
  depot check my-depot.toml
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("site", metavar="SITE.toml", help="a site file, or the name of a shipped scenario")


def run(options: argparse.Namespace) -> int:
    """Exit status: 0 without faults, 1 with."""
    console = Console()
    site, scenario = find_site(options.site)
    tree = site_tree(site)
    console.print(_tree(tree))
    console.print(_settings(site))
    faults = site_faults(site, tree, twin_settings(site).envelope)
    if scenario is not None:
        try:
            read_scenario(options.site, scenario)
        except ConfigurationError as error:
            faults.append(str(error))
    for fault in faults:
        console.print(f"[bold red]fault[/] {escape(fault)}", highlight=False)
    if not faults:
        console.print(f"[green]no faults[/]: {len(tree.chargers)} chargers, {len(tree.connector_by_id)} connectors")
    return 1 if faults else 0


def _tree(tree: SiteTree) -> Tree:
    """The installation, node by node."""
    branches: dict[NodeId, Tree] = {}
    root = Tree(_node_label(tree.root), guide_style="dim")
    branches[tree.root.id] = root
    for node in tree.nodes[1:]:
        assert node.parent is not None
        branches[node.id] = branches[node.parent].add(_node_label(node))
    for charger in tree.chargers:
        for connector in charger.connectors:
            wiring = "-".join(phase.name for phase in connector.phases)
            known = "" if connector.rotation_known else " (rotation unknown: counts on every phase)"
            ratings = f"max {connector.hardware_max_a:g} A, fallback {connector.fallback_a:g} A"
            branches[NodeId(charger.id)].add(escape(f"{connector.id}  {ratings}, {wiring}{known}"))
    return root


def _node_label(node: Node) -> str:
    limits = [
        f"{node.limit_a:g} A/phase" if node.limit_a is not None else "",
        f"{node.limit_kw:g} kW" if node.limit_kw is not None else "",
        f"base load ≤ {node.base_load_worst_a:g} A" if node.base_load_worst_a else "",
        "metered" if node.metered else "",
    ]
    return (
        f"[bold]{escape(node.id)}[/] {node.kind}  {', '.join(text for text in limits if text) or 'no limit of its own'}"
    )


def _settings(site: SiteFile) -> Table:
    """Every setting with its effective value."""
    table = Table("setting", "value", box=None, pad_edge=False)
    rhythms = runtime_settings(site)
    table.add_row("name, time zone", f"{site.name}, {site.timezone}")
    table.add_row("unknown charge points", "adopted on conservative defaults" if site.adopt_unknown else "refused")
    for name, value in site.control:
        table.add_row(f"control.{name}", escape(str(value)))
    table.add_row("control cycle", f"every {rhythms.tick_s:g} s, plans every {rhythms.plan_every_s:g} s")
    scheme = "ws" if site.ocpp.tls is None else "wss"
    table.add_row("OCPP", f"{scheme}://{site.ocpp.host}:{site.ocpp.port}/ocpp/…")
    mqtt = site.mqtt
    table.add_row("MQTT", "none" if mqtt is None else f"{mqtt.host}:{mqtt.port}, {len(site.meters)} meter(s)")
    table.add_row(
        "InfluxDB", "none: local history" if site.influx is None else f"{site.influx.url} → {site.influx.bucket}"
    )
    table.add_row("panel", "none" if site.panel is None else f"http://{site.panel.host}:{site.panel.port}")
    return table
