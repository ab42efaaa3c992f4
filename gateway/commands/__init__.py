"""The commands of `depot`, one a module, in the order the help shows them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from gateway.commands import charger, chargers, check, data, demo, grafana, plan, replay, run, study


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what it says of itself, its options, and what it does."""

    summary: str
    description: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


COMMANDS: dict[str, Command] = {
    "demo": Command(demo.SUMMARY, demo.DESCRIPTION, demo.options, demo.run),
    "run": Command(run.SUMMARY, run.DESCRIPTION, run.options, run.run),
    "check": Command(check.SUMMARY, check.DESCRIPTION, check.options, check.run),
    "charger": Command(charger.SUMMARY, charger.DESCRIPTION, charger.options, charger.run),
    "chargers": Command(chargers.SUMMARY, chargers.DESCRIPTION, chargers.options, chargers.run),
    "plan": Command(plan.SUMMARY, plan.DESCRIPTION, plan.options, plan.run),
    "replay": Command(replay.SUMMARY, replay.DESCRIPTION, replay.options, replay.run),
    "grafana": Command(grafana.SUMMARY, grafana.DESCRIPTION, grafana.options, grafana.run),
    "study": Command(study.SUMMARY, study.DESCRIPTION, study.options, study.run),
    "data": Command(data.SUMMARY, data.DESCRIPTION, data.options, data.run),
}
