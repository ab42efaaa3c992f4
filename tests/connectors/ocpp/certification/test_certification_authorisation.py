"""Tags that may not charge, and the charger's cache of those that may, as our central system handles them."""

from __future__ import annotations

from connectors.ocpp import requests as r
from connectors.ocpp.operations import Outcome
from tests.connectors.ocpp.certification.stage import stage


async def test_tc_023_1_tag_invalid() -> None:
    """A tag that the site does not list is Invalid."""
    async with stage() as s:
        assert await s.shows("STRANGER") == "Invalid"


async def test_tc_023_2_tag_expired() -> None:
    """A tag whose time is over is Expired."""
    async with stage() as s:
        assert await s.shows("LATE") == "Expired"


async def test_tc_023_3_tag_blocked() -> None:
    """A tag that the site bars is Blocked."""
    async with stage() as s:
        assert await s.shows("BARRED") == "Blocked"


async def test_tc_061_cache_cleared() -> None:
    """The operator has the charger forget the tags it saw accepted, and learns that it did."""
    async with stage() as s:
        answer = await s.ask(r.clear_cache())
        assert (answer.outcome, answer.said) == (Outcome.DONE, "Accepted")
        assert s.asked("ClearCache") == [{}]
