"""OCPP-J 1.6 messages on a WebSocket, as a charge point speaks them: our own second reading of the framing.

One CALL of ours is outstanding at a time; requests of the central system are answered in the order they came. What
the central system says wrongly is counted and survived.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from simulators.quirks.behaviour import Opening
from simulators.quirks.socket import OddSocket

logger = logging.getLogger(__name__)

CALL: Final = 2
CALL_RESULT: Final = 3
CALL_ERROR: Final = 4
_INBOX = 64
"""Requests of the central system that may wait; more of them unanswered is a flood, and is dropped and counted."""
_MAX_FRAME = 1 << 20

Payload = dict[str, Any]
Handler = Callable[[str, Payload], Awaitable[Payload]]
SUBPROTOCOL: Final = Subprotocol("ocpp1.6")
LINK_ERRORS = (OSError, TimeoutError, InvalidHandshake, InvalidURI, ConnectionClosed)
"""Everything that opening a WebSocket may end in when the other side is absent or refuses."""


class CallError(Exception):
    """A request cannot be handled; becomes a CALLERROR with this code.

    Attributes:
        code: one of the error codes of OCPP-J 1.6 §4.2.3.
    """

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


class LinkLostError(Exception):
    """The link ended before the answer came."""


@dataclass(slots=True)
class WireCounts:
    """What a charge point saw on its wire."""

    calls_sent: int = 0
    calls_received: int = 0
    errors_sent: int = 0
    errors_received: int = 0
    timeouts: int = 0
    malformed: int = 0
    unmatched: int = 0
    dropped: int = 0


class Link:
    """One WebSocket to the central system, from open to close."""

    def __init__(
        self, socket: ClientConnection | OddSocket, handle: Handler, counts: WireCounts, ids: Callable[[], str]
    ) -> None:
        self._socket = socket
        self._handle = handle
        self._counts = counts
        self._ids = ids
        self._waiting: dict[str, asyncio.Future[Payload]] = {}
        self._inbox: list[tuple[str, str, Payload]] = []
        self._answering: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def serve(self) -> None:
        """Read and answer until the link ends; never raises for what the other side does."""
        try:
            async for frame in self._socket:
                self._receive(frame)
        except ConnectionClosed:
            pass
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(LinkLostError("the link ended"))
            if self._answering is not None:
                self._answering.cancel()
                await asyncio.gather(self._answering, return_exceptions=True)

    async def call(self, action: str, payload: Payload, deadline_s: float) -> Payload:
        """Send a request and return its answer; waits its turn.

        Raises:
            CallError: the central system answered with a CALLERROR.
            TimeoutError: no answer in time.
            LinkLostError: the link ended first.
        """
        async with self._turn:
            unique_id = self._ids()
            answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
            self._waiting[unique_id] = answer
            try:
                await self._send([CALL, unique_id, action, payload])
                self._counts.calls_sent += 1
                async with asyncio.timeout(deadline_s):
                    return await answer
            except ConnectionClosed as error:
                raise LinkLostError("the link is closed") from error
            except TimeoutError:
                self._counts.timeouts += 1
                raise
            finally:
                del self._waiting[unique_id]
                if answer.done() and not answer.cancelled():
                    answer.exception()

    async def close(self) -> None:
        """End the link."""
        await self._socket.close()

    def abort(self) -> None:
        """Cut the link without a word, as a power cut does."""
        self._socket.transport.abort()

    async def _send(self, message: list[Any]) -> None:
        await self._socket.send(json.dumps(message, separators=(",", ":")))

    def _receive(self, frame: str | bytes) -> None:
        try:
            message = json.loads(frame)
        except (ValueError, RecursionError):
            message = None
        match message:
            case [2, str(unique_id), str(action), dict(payload)]:
                self._counts.calls_received += 1
                self._enqueue((unique_id, action, payload))
            case [3, str(unique_id), dict(payload)]:
                self._settle(unique_id, payload)
            case [4, str(unique_id), str(code), *rest]:
                self._counts.errors_received += 1
                self._settle(unique_id, CallError(code, str(rest[0]) if rest else ""))
            case _:
                self._counts.malformed += 1
                logger.warning("refused", extra={"what": "malformed frame", "frame": str(frame)[:80]})

    def _settle(self, unique_id: str, outcome: Payload | CallError) -> None:
        answer = self._waiting.get(unique_id)
        if answer is None or answer.done():
            self._counts.unmatched += 1
        elif isinstance(outcome, CallError):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    def _enqueue(self, request: tuple[str, str, Payload]) -> None:
        if len(self._inbox) >= _INBOX:
            self._counts.dropped += 1
            return
        self._inbox.append(request)
        # A task only while there is something to answer: most charge points idle most of the time.
        if self._answering is None or self._answering.done():
            self._answering = asyncio.create_task(self._answer_all(), name="ocpp-answers")

    async def _answer_all(self) -> None:
        while self._inbox:
            unique_id, action, payload = self._inbox.pop(0)
            try:
                answer = [CALL_RESULT, unique_id, await self._handle(action, payload)]
            except SilenceError:
                continue
            except CallError as error:
                self._counts.errors_sent += 1
                answer = [CALL_ERROR, unique_id, error.code, error.description[:255], {}]
            try:
                await self._send(answer)
            except ConnectionClosed:
                return


class SilenceError(Exception):
    """Raised by a handler that gives no answer at all."""


async def open_link(
    url: str,
    handle: Handler,
    counts: WireCounts,
    ids: Callable[[], str],
    *,
    authorization: str | None = None,
    tls: ssl.SSLContext | None = None,
    opening: Opening | None = None,
    dress: Callable[[ClientConnection], OddSocket] | None = None,
) -> Link:
    """Open a WebSocket to a central system.

    Args:
        url: with the charge point's identity as its last segment.
        handle: answers requests of the central system.
        counts: where to count what happens.
        ids: makes unique ids.
        authorization: value of the Authorization header.
        tls: what is trusted and shown, for a wss address; None trusts the machine's own list and shows nothing.
        opening: how a quirk would have it opened.
        dress: puts quirks between the socket and the link.

    Raises:
        OSError, TimeoutError, websockets.InvalidHandshake: nobody there, or the connection was refused.
    """
    headers = {} if authorization is None else {"Authorization": authorization}
    opening = opening or Opening(url)
    socket = await connect(
        opening.url,
        ssl=tls or (True if opening.url.startswith("wss:") else None),
        subprotocols=[Subprotocol(name) for name in opening.subprotocols] or None,
        additional_headers=headers,
        compression="deflate" if opening.compression else None,
        proxy=None,
        open_timeout=60,
        ping_interval=None,
        close_timeout=2,
        max_size=_MAX_FRAME,
    )
    return Link(socket if dress is None else dress(socket), handle, counts, ids)
