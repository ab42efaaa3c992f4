"""Every message in both directions, judged by a library we did not write and its own copy of the schemas."""

from __future__ import annotations

import pytest

from connectors.ocpp.operations import Outcome
from connectors.ocpp.routing import INCOMING, OUTGOING
from tests.peers.judged_gateway import judged_gateway


@pytest.mark.services
async def test_a_strict_stranger_finds_no_fault_in_any_message() -> None:
    judgement = await judged_gateway()
    summary = judgement.summary
    assert summary["failures"] == []
    assert summary["own_failures"] == []
    assert set(summary["said"]) == set(INCOMING)
    assert set(summary["asked"]) == set(OUTGOING)
    assert {answer.outcome for answer in judgement.answers} == {Outcome.DONE, Outcome.REFUSED}
    assert judgement.flawed == {}
