"""What travels between the gateway and its planner's process: pickled messages, each behind its length.

The pipes are private to a parent and the child it started, so what comes out of them is as trusted as our own code.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from dataclasses import dataclass
from typing import BinaryIO

from twin_core.models.plan import Plan
from twin_core.models.problem import PlanningProblem

_LENGTH = struct.Struct("!I")
_MAX_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Ready:
    """The child has loaded its planner and solved once."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The child has no plan, or cannot work at all."""

    reason: str


FromParent = PlanningProblem
FromChild = Ready | Refusal | Plan


def frame(message: FromParent | FromChild) -> bytes:
    """A message as it goes into the pipe."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


async def receive(pipe: asyncio.StreamReader) -> object:
    """The next message.

    Raises:
        EOFError: the other side is gone, or what it sent is no message.
    """
    try:
        body = await pipe.readexactly(_length(await pipe.readexactly(_LENGTH.size)))
    except asyncio.IncompleteReadError as error:
        raise EOFError("the pipe was closed") from error
    return _message(body)


def receive_blocking(pipe: BinaryIO) -> object:
    """The next message; for the child's reading thread.

    Raises:
        EOFError: the other side is gone, or what it sent is no message.
    """
    header = pipe.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        raise EOFError("the pipe was closed")
    return _message(pipe.read(_length(header)))


def _length(header: bytes) -> int:
    (length,) = _LENGTH.unpack(header)
    if length > _MAX_BYTES:
        raise EOFError(f"a message of {length} bytes cannot be ours")
    return int(length)


def _message(body: bytes) -> object:
    try:
        return pickle.loads(body)
    except (pickle.UnpicklingError, AttributeError, ImportError, IndexError, TypeError, ValueError) as error:
        raise EOFError(f"not a message: {error}") from error
