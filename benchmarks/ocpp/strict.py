"""Both roles judged message by message by `ocpp-rpc` in strict mode, with its own copy of the official schemas.

The same conversations as in the tests: `tests/peers/judged_gateway.py` and `tests/peers/judged_charge_point.py`.
"""

from __future__ import annotations

import asyncio
import logging
import shutil

import pytest

from benchmarks.ocpp.row import Row, judged, skipped
from connectors.ocpp.routing import INCOMING, OUTGOING
from simulators.requests import REQUESTS
from tests.peers.judged_charge_point import judged_charge_point
from tests.peers.judged_gateway import judged_gateway
from tests.simulators.charge_point_schemas import SAID_BY_CHARGE_POINTS

_GATEWAY = "our gateway, every message in both directions: validation failures of a strict ocpp-rpc"
_POINT = "our virtual charge point, every message in both directions: validation failures of a strict ocpp-rpc"


def rows() -> list[Row]:
    """A row for each role: each call and each answer is a message that was validated."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return [skipped(what, f"{program} is not there") for what in (_GATEWAY, _POINT)]
    logging.disable(logging.WARNING)
    try:
        return [asyncio.run(_gateway()), asyncio.run(_charge_point())]
    except pytest.skip.Exception as why:
        return [skipped(what, str(why)) for what in (_GATEWAY, _POINT)]
    finally:
        logging.disable(logging.NOTSET)


async def _gateway() -> Row:
    summary = (await judged_gateway()).summary
    said, asked = summary["said"], summary["asked"]
    every = set(said) == set(INCOMING) and set(asked) == set(OUTGOING)
    failures = len(summary["failures"]) + len(summary["own_failures"])
    return _row(_GATEWAY, failures, 2 * (len(said) + len(asked)), {*said} | {*asked}, every=every)


async def _charge_point() -> Row:
    seen, _ = await judged_charge_point()
    heard, asked = seen["heard"], [action for action, _ in seen["answers"] if action != "drawn"]
    every = set(heard) == SAID_BY_CHARGE_POINTS | {"DataTransfer"} and set(asked) == set(REQUESTS)
    failures = len(seen["strict_failures"]) + len(seen["bad_messages"])
    return _row(_POINT, failures, 2 * (sum(heard.values()) + len(asked)), {*heard} | {*asked}, every=every)


def _row(what: str, failures: int, messages: int, actions: set[str], *, every: bool) -> Row:
    return judged(
        what, failures, "failures", most=0, holds=every, messages=messages, actions=len(actions), every_message=every
    )
