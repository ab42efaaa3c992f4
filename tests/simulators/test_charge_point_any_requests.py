"""Whatever valid requests come, in whatever order: every one is answered, and every message is valid."""

from __future__ import annotations

import asyncio
import json
import warnings
from typing import Any

import async_solipsism
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulators.requests import REQUESTS
from tests.simulators.charge_point_schemas import (
    SAID_BY_CHARGE_POINTS,
    actions,
    faults,
    faults_of_all_said,
    requests,
    spoiled_requests,
)
from tests.simulators.chargers import car, charger, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag

EVENTS = st.sampled_from(["plug", "unplug", "drop", "power", "wait", "long wait"])
STEPS = st.lists(st.one_of(requests(), requests(), EVENTS), min_size=1, max_size=12)


async def happen(event: str, central: FakeCentral, point: Any) -> None:
    """Something of the world around a charge point."""
    outlet = point.controller.station.outlets[1]
    if event == "plug" and outlet.vehicle is None:
        await point.plug(1, car(wanted=5.0), IdTag("TAG"))
    elif event == "unplug" and outlet.vehicle is not None:
        point.unplug(1)
    elif event == "drop":
        central.drop("CP1")
        await settle(10)
    elif event == "power":
        point.cut_power()
        await settle(20)
        point.return_power()
    await settle(70 if event == "long wait" else 3)


async def online(point: Any) -> None:
    for _ in range(600):
        if point.online:
            return
        await asyncio.sleep(0.5)
    raise AssertionError("it does not come back")


async def converse(steps: list[Any]) -> tuple[list[str], int]:
    """Faults found by the schemas, and requests that were left unanswered."""
    wrong: list[str] = []
    silent = 0
    async with FakeCentral() as central, switched_on(charger(connectors=2)) as point:
        for step in steps:
            await online(point)
            if isinstance(step, str):
                await happen(step, central, point)
                continue
            action, payload = step
            try:
                answer = await central.call("CP1", action, json.loads(json.dumps(payload)))
            except TimeoutError:
                silent += 1
                continue
            if isinstance(answer, dict):
                wrong += faults(f"{action}Response", answer)
        await online(point)
        if await central.call("CP1", "GetLocalListVersion", {}) is None:
            silent += 1
        await settle(100)
        wrong += faults_of_all_said(central)
    return wrong, silent


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_no_sequence_of_valid_requests_brings_out_an_invalid_message_or_silence(steps: list[Any]) -> None:
    with warnings.catch_warnings(), asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        warnings.simplefilter("ignore", async_solipsism.ResolutionWarning)
        assert runner.run(converse(steps)) == ([], 0)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(spoiled_requests(), requests(), EVENTS), min_size=1, max_size=12))
def test_no_sequence_of_spoiled_requests_does_either(steps: list[Any]) -> None:
    with warnings.catch_warnings(), asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        warnings.simplefilter("ignore", async_solipsism.ResolutionWarning)
        assert runner.run(converse(steps)) == ([], 0)


def test_every_request_of_the_standard_and_its_security_extension_is_answered() -> None:
    assert set(REQUESTS) == actions() - SAID_BY_CHARGE_POINTS
