"""Whatever happened to a charger's list before, a write that says done has left it as it should be."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.ocpp.calls import Answered, CallOutcome, Errored, TimedOut
from connectors.ocpp.frames import Payload
from connectors.ocpp.local_lists import LocalLists
from connectors.ocpp.operations import Operations, Outcome
from connectors.ocpp.schemas import check_call
from connectors.ocpp.upkeep import MemoryUpkeep
from tests.fakes import EventList, LoopClock
from twin_core.models.authorisation import ListedTag, TagStanding, TagStatus
from twin_core.models.ids import ChargerId, IdTag

CP1 = ChargerId("CP1")


@dataclass
class ListCharger:
    """A charger's list by the standard, whose answers go wrong as told.

    Attributes:
        trouble: for each SendLocalList to come: "" takes it, "refuse" and "error" do not, "silent" takes it and says
            nothing, "lost" neither takes it nor says anything.
    """

    version: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)
    length: int = 3

    @property
    def connected(self) -> frozenset[ChargerId]:
        return frozenset({CP1})

    async def call(self, _: ChargerId, action: str, payload: Payload, __: float = 0.0) -> CallOutcome:
        check_call(action, payload)
        if action == "GetLocalListVersion":
            return Answered({"listVersion": self.version})
        if action == "GetConfiguration":
            return Answered({"configurationKey": [{"key": "SendLocalListMaxLength", "value": str(self.length)}]})
        trouble = self.trouble.pop() if self.trouble else ""
        if trouble == "error":
            return Errored("InternalError", "")
        if trouble == "lost":
            return TimedOut()
        status = "Failed" if trouble == "refuse" else self.take(payload)
        return TimedOut() if trouble == "silent" else Answered({"status": status})

    def take(self, payload: dict[str, Any]) -> str:
        entries = payload["localAuthorizationList"]
        assert len(entries) <= self.length
        if payload["updateType"] == "Full":
            self.tags.clear()
        elif payload["listVersion"] <= self.version:
            return "VersionMismatch"
        self.version = payload["listVersion"]
        for entry in entries:
            if "idTagInfo" in entry:
                self.tags[entry["idTag"]] = entry["idTagInfo"]["status"]
            else:
                self.tags.pop(entry["idTag"], None)
        return "Accepted"


LISTS = st.dictionaries(st.sampled_from("ABCDEFGH"), st.sampled_from(list(TagStatus)), max_size=8)
TROUBLE = st.lists(st.sampled_from(["", "refuse", "error", "silent", "lost"]), max_size=4)
STEPS = st.lists(st.tuples(LISTS, TROUBLE, st.sampled_from(["", "reset", "foreign"])), min_size=1, max_size=6)


SAME_VERSION_AGAIN = [
    (dict.fromkeys("ABCDE", TagStatus.ACCEPTED), [], ""),
    ({}, ["refuse"], "reset"),
    ({}, [], "foreign"),
]
"""Five parts are version 5; a reset and somebody else's five versions are version 5 too."""


@example(SAME_VERSION_AGAIN, 1)
@given(STEPS, st.integers(1, 4))
@settings(max_examples=300, deadline=None)
def test_a_write_that_says_done_has_left_the_list_as_it_should_be(steps: list[Any], length: int) -> None:
    async def run() -> None:
        charger = ListCharger(length=length)
        lists = LocalLists(Operations(charger, lambda: 1), MemoryUpkeep(), EventList(), LoopClock())
        for wanted, trouble, mischance in steps:
            if mischance == "reset":
                charger.version, charger.tags = 0, {}
            elif mischance == "foreign":
                charger.version, charger.tags = charger.version + 5, {"ZZ": "Accepted"}
            charger.trouble = list(trouble)
            entries = [ListedTag(IdTag(tag), TagStanding(status)) for tag, status in wanted.items()]
            answer = await lists.write(CP1, entries)
            if answer.outcome is Outcome.DONE:
                assert charger.tags == {tag: status.value for tag, status in wanted.items()}
                assert answer.number == charger.version
        charger.trouble = []
        assert (await lists.write(CP1, entries)).outcome is Outcome.DONE

    asyncio.run(run())
