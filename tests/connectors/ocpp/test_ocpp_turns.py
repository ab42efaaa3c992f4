"""Work that comes in crowds is spread over turns of the loop, and nobody else waits for the crowd."""

from __future__ import annotations

import asyncio
from functools import partial

from connectors.ocpp.calls import CallTable
from connectors.ocpp.refusals import LinkCounters
from connectors.ocpp.turns import Turns


async def turns_of_the_loop(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_whoever_comes_alone_waits_for_nothing() -> None:
    turns = Turns(at_once=1)
    for _ in range(10):
        asked = turns.mine()
        with_nobody_there = asyncio.create_task(asked)
        await asyncio.sleep(0)
        assert with_nobody_there.done()
        await turns_of_the_loop(2)


async def test_no_turn_begins_more_than_its_share_and_all_begin_in_the_order_they_came() -> None:
    turns, began = Turns(at_once=3), list[int]()

    async def work(number: int) -> None:
        await turns.mine()
        began.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(100):
            tasks.create_task(work(number))
        while len(began) < 100:
            before = len(began)
            await asyncio.sleep(0)
            assert len(began) - before <= 3
    assert began == list(range(100))


async def test_whoever_gives_up_the_wait_costs_nobody_a_turn() -> None:
    turns = Turns(at_once=1)
    await turns.mine()
    crowd = [asyncio.create_task(turns.mine()) for _ in range(50)]
    last = asyncio.create_task(turns.mine())
    await asyncio.sleep(0)
    for waiting in crowd:
        waiting.cancel()
    await turns_of_the_loop(4)
    assert last.done()


async def test_time_stands_still_for_nobody_once_the_crowd_is_through() -> None:
    turns = Turns(at_once=2)
    await asyncio.gather(*(turns.mine() for _ in range(20)))
    async with asyncio.timeout(2):
        await asyncio.sleep(1)  # virtual: it only passes where no turn is asked for any more


async def test_questions_to_many_chargers_take_turns_and_a_grant_does_not_wait_for_them() -> None:
    turns, sent = Turns(at_once=2), list[int]()

    async def send(number: int, _: bytes) -> None:
        sent.append(number)

    tables = [
        CallTable(partial(send, number), LinkCounters(), timeout_s=5.0, turns=turns, on_silence=lambda _: None)
        for number in range(40)
    ]
    async with asyncio.TaskGroup() as tasks:
        for table in tables[:-1]:
            tasks.create_task(table.call("ClearCache", {}))
        await turns_of_the_loop(3)
        asked = len(sent)
        grant = tasks.create_task(tables[-1].ask("ClearCache", {}))
        await turns_of_the_loop(2)
        assert 39 in sent
        assert asked < 15
        await turns_of_the_loop(60)
        assert sorted(sent) == list(range(40))
        for table in tables:
            table.lose()
    assert grant.done()
