"""Scenario files: shipped ones by name, any other by path."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from gateway.site_file import SiteFile, parse_site, read_site
from simulators.scenario import Scenario, load_scenario
from twin_core.errors import ConfigurationError


def shipped_scenarios() -> list[str]:
    """Names of the scenarios that come with the product."""
    folder = resources.files("simulators") / "scenarios"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def scenario_text(name: str) -> str:
    """The text of a shipped scenario, or of a file.

    Raises:
        ConfigurationError: there is neither.
    """
    if name in shipped_scenarios():
        return (resources.files("simulators") / "scenarios" / f"{name}.toml").read_text(encoding="utf-8")
    path = Path(name)
    if not path.is_file():
        known = ", ".join(shipped_scenarios())
        raise ConfigurationError(f"{name}: no such file, and no shipped scenario (there are: {known})")
    return path.read_text(encoding="utf-8")


def find_site(name: str) -> tuple[SiteFile, dict[str, Any] | None]:
    """A site from a file's path or a shipped scenario's name, with its `[scenario]` table where it has one.

    Raises:
        ConfigurationError: it cannot be read or cannot work.
    """
    if name in shipped_scenarios() and not Path(name).exists():
        return parse_site(scenario_text(name), name)
    return read_site(Path(name))


def read_scenario(name: str, table: dict[str, Any] | None) -> Scenario:
    """The scenario of a file.

    Raises:
        ConfigurationError: the file has no `[scenario]` table, or one that cannot work.
    """
    if table is None:
        raise ConfigurationError(f"{name}: has no [scenario] table, so there is nothing to simulate")
    return load_scenario(table)
