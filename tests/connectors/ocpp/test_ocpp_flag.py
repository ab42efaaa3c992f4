"""A light event: it does what asyncio's does, for everybody who waits."""

from __future__ import annotations

import asyncio

import pytest

from connectors.ocpp.flag import Flag


async def test_everybody_who_waits_goes_on_once_it_is_up_and_later_comers_at_once() -> None:
    flag = Flag()
    waiting = [asyncio.create_task(flag.wait()) for _ in range(3)]
    await asyncio.sleep(1)
    assert not any(task.done() for task in waiting)
    flag.set()
    await asyncio.sleep(0)
    assert flag.is_set()
    await asyncio.wait_for(asyncio.gather(*waiting, flag.wait()), 1)


async def test_those_it_was_raised_for_go_on_though_it_is_lowered_at_once() -> None:
    flag = Flag()
    waiting = asyncio.create_task(flag.wait())
    await asyncio.sleep(0)
    flag.set()
    flag.clear()
    await asyncio.wait_for(waiting, 1)
    assert not flag.is_set()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(flag.wait(), 1)


async def test_one_who_gives_up_waiting_disturbs_no_other() -> None:
    flag = Flag()
    patient, impatient = asyncio.create_task(flag.wait()), asyncio.create_task(flag.wait())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    flag.set()
    await asyncio.wait_for(patient, 1)
    assert impatient.cancelled()
