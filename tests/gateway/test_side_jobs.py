"""A job beside control that fails is begun anew and stops nobody."""

from __future__ import annotations

import asyncio

import async_solipsism
import pytest

from gateway.side_jobs import AGAIN_AFTER_S, kept_up


def test_a_job_that_fails_is_begun_anew_a_minute_later_and_what_runs_beside_it_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun_at: list[float] = []
    beats: list[float] = []

    async def stumbles_twice() -> None:
        begun_at.append(asyncio.get_running_loop().time())
        if len(begun_at) < 3:
            raise ValueError("what nobody thought of")

    async def control() -> None:
        for _ in range(200):
            beats.append(asyncio.get_running_loop().time())
            await asyncio.sleep(1.0)

    async def depot() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(control())
            tasks.create_task(kept_up("certificates", stumbles_twice))

    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        runner.run(depot())
    assert [at - begun_at[0] for at in begun_at] == [0.0, AGAIN_AFTER_S, 2 * AGAIN_AFTER_S]
    assert len(beats) == 200
    failures = [record for record in caplog.records if record.message == "side job failed"]
    assert [record.job for record in failures] == ["certificates"] * 2  # type: ignore[attr-defined]
    assert all(record.exc_info for record in failures)
