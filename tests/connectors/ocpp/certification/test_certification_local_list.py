"""The list of tags that a charger keeps itself, as our central system writes it."""

from __future__ import annotations

from typing import Any

from connectors.ocpp.local_lists import UP_TO_DATE
from connectors.ocpp.operations import Outcome
from tests.connectors.ocpp.certification.stage import ACCEPTED, CP1, DRIVER, SISTER, stage
from twin_core.models import events as e
from twin_core.models.authorisation import ListedTag, TagStanding, TagStatus
from twin_core.models.ids import IdTag


def listed(*tags: str) -> list[ListedTag]:
    return [ListedTag(IdTag(tag), TagStanding(TagStatus.ACCEPTED)) for tag in tags]


def entry(tag: str) -> dict[str, Any]:
    return {"idTag": tag, "idTagInfo": {"status": "Accepted"}}


async def test_tc_042_1_list_version_not_supported() -> None:
    """A charger without local lists says so by version -1, and that is told as a refusal."""
    async with stage(GetLocalListVersion={"listVersion": -1}) as s:
        answer = await s.lists.version(CP1)
        assert (answer.outcome, answer.number) == (Outcome.REFUSED, -1)
        assert s.asked("GetLocalListVersion") == [{}]


async def test_tc_042_2_list_version_empty() -> None:
    """A charger whose list is empty says so by version 0."""
    async with stage() as s:
        answer = await s.lists.version(CP1)
        assert (answer.outcome, answer.number) == (Outcome.DONE, 0)


async def test_tc_043_1_list_not_supported() -> None:
    """A charger that takes no list is heard, and nothing counts as written."""
    async with stage(SendLocalList={"status": "NotSupported"}) as s:
        answer = await s.lists.write(CP1, listed(DRIVER))
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "NotSupported")
        assert s.of(e.LocalListWritten) == []


async def test_tc_043_3_list_failed() -> None:
    """A charger that fails to take a list is heard, and nothing counts as written."""
    async with stage(SendLocalList={"status": "Failed"}) as s:
        answer = await s.lists.write(CP1, listed(DRIVER))
        assert (answer.outcome, answer.said) == (Outcome.REFUSED, "Failed")
        assert s.of(e.LocalListWritten) == []


async def test_tc_043_4_full_list() -> None:
    """A first list is sent whole, and its version remembered once it was taken."""
    async with stage() as s:
        assert (await s.lists.write(CP1, listed(DRIVER))).outcome is Outcome.DONE
        full = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry(DRIVER)]}
        assert s.asked("SendLocalList") == [full]
        assert [event.version for event in s.of(e.LocalListWritten)] == [1]


async def test_tc_043_5_differential_list() -> None:
    """A list the charger has is only amended, under a higher version, and left alone where nothing changed."""
    async with stage(SendLocalList=ACCEPTED) as s:
        await s.lists.write(CP1, listed(DRIVER))
        s.cp.answers["GetLocalListVersion"] = {"listVersion": 1}
        assert (await s.lists.write(CP1, listed(DRIVER, SISTER))).outcome is Outcome.DONE
        change = {"listVersion": 2, "updateType": "Differential", "localAuthorizationList": [entry(SISTER)]}
        assert s.asked("SendLocalList")[1:] == [change]
        s.cp.answers["GetLocalListVersion"] = {"listVersion": 2}
        assert (await s.lists.write(CP1, listed(DRIVER, SISTER))).said == UP_TO_DATE
        assert len(s.asked("SendLocalList")) == len(s.of(e.LocalListWritten)) == 2
