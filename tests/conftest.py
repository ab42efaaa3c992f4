"""Shared by every test."""

from __future__ import annotations

import pytest
from hypothesis import settings

from twin_core.planning.solvers.machine_code import is_compiled
from twin_core.planning.table import planner
from twin_core.planning.warm_up import warm_up

# A loaded machine is slow, not wrong.
settings.register_profile("depot", deadline=None)
settings.load_profile("depot")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile the solvers before the first test's time runs, where they never were."""
    if session.items and not session.config.option.collectonly and not is_compiled():
        warm_up(planner("power_allocation"))
