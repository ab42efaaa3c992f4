"""One WebSocket to the upstream under a charger's identity, from open to close.

Whatever the other side does, this ends in at most a closed link: frames are bounded, a flood is read at a pace, what
cannot be read is counted, and its requests wait in a queue with few places.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from connectors.ocpp.calls import Answered, CallOutcome, CallTable, Errored
from connectors.ocpp.frames import (
    Call,
    CallError,
    CallResult,
    FrameError,
    Payload,
    decode,
    encode_error,
    encode_result,
)
from connectors.ocpp.refusals import LinkCounters
from connectors.ocpp.schemas import check_result
from connectors.ocpp.session import TokenBucket
from connectors.ocpp.upstream.settings import UpstreamSettings
from twin_core.errors import ProtocolError
from twin_core.models.ids import ChargerId

LINK_ERRORS = (OSError, TimeoutError, InvalidHandshake, InvalidURI, ConnectionClosed)
"""Everything that opening a link may end in when the other side is absent, refuses or talks nonsense."""

MAX_REQUESTS = 16
"""Requests of the upstream that may wait; a central system sends one at a time."""

FRAMES_PER_S = 20.0
FRAME_BURST = 200

_wire_logger = logging.getLogger(f"{__name__}.wire")
_wire_logger.setLevel(logging.CRITICAL)  # attempts to connect are told by `relay`, once


class UpstreamLink:
    """The two directions of one open link.

    Attributes:
        requests: what the upstream asks, in order.
    """

    def __init__(self, socket: ClientConnection, counters: LinkCounters, call_timeout_s: float) -> None:
        self.requests: asyncio.Queue[Call] = asyncio.Queue(MAX_REQUESTS)
        self._socket = socket
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._bucket = TokenBucket(FRAMES_PER_S, FRAME_BURST, self._loop.time())
        self._calls = CallTable(self._send, counters, timeout_s=call_timeout_s, on_silence=lambda _: None)
        self.sent_s = self._loop.time()

    async def call(self, action: str, payload: Payload) -> CallOutcome:
        """Say something and wait for the answer; see `CallTable.call`."""
        return await self._calls.call(action, payload)

    async def answer(self, request: Call, payload: Payload) -> None:
        """Answer a request. What breaks the schema is told as an error, since it is a charger's and not ours."""
        try:
            check_result(request.action, payload)
        except ProtocolError as broken:
            self._counters.refused["upstream-answer-invalid"] += 1
            await self.error(request, "InternalError", f"the charge point's answer cannot be passed on: {broken}")
            return
        await self._send(encode_result(request.unique_id, payload))

    async def error(self, request: Call, code: str, description: str) -> None:
        """Refuse a request."""
        await self._send(encode_error(request.unique_id, code, description))

    async def read(self) -> None:
        """Read until the link ends.

        Raises:
            ConnectionClosed: it did; the text says how.
        """
        try:
            while True:
                data = await self._socket.recv(decode=False)
                self._counters.frames_in += 1
                wait_s = self._bucket.take(self._loop.time())
                if wait_s > 0.0:
                    self._counters.refused["upstream-flood"] += 1
                    await asyncio.sleep(wait_s)
                await self._take(data)
        finally:
            self._calls.lose()

    async def close(self) -> None:
        """End the link; takes `close_timeout_s` at most."""
        await self._socket.close()

    async def _take(self, data: bytes) -> None:
        try:
            frame = decode(data)
        except FrameError as error:
            self._counters.refused[f"upstream-{error.cause}"] += 1
            if error.answers is not None:
                self._calls.settle(error.answers, Errored("FormationViolation", error.detail))
            elif error.reply_to is not None:
                await self._send(encode_error(error.reply_to, "FormationViolation", error.detail))
            return
        match frame:
            case CallResult(unique_id, payload):
                self._settle(unique_id, Answered(payload))
            case CallError(unique_id, code, description):
                self._settle(unique_id, Errored(code, description))
            case Call():
                try:
                    self.requests.put_nowait(frame)
                except asyncio.QueueFull:
                    self._counters.refused["upstream-too-many-requests"] += 1
                    await self.error(frame, "GenericError", "too many requests wait for an answer")

    def _settle(self, unique_id: str, outcome: CallOutcome) -> None:
        if not self._calls.settle(unique_id, outcome):
            self._counters.refused["upstream-unsolicited-answer"] += 1

    async def _send(self, data: bytes) -> None:
        await self._socket.send(data, text=True)
        self._counters.frames_out += 1
        self.sent_s = self._loop.time()


async def open_link(charger: ChargerId, settings: UpstreamSettings, counters: LinkCounters) -> UpstreamLink:
    """Connect to the upstream as a charger.

    Raises:
        one of LINK_ERRORS: nobody there, or the connection was refused.
    """
    socket = await connect(
        f"{settings.url.rstrip('/')}/{quote(charger, safe='')}",
        subprotocols=[Subprotocol(settings.subprotocol)],
        ssl=settings.tls or (True if settings.url.startswith("wss:") else None),
        additional_headers=_authorization(charger, settings),
        user_agent_header=None,
        compression=None,
        proxy=None,
        open_timeout=settings.open_timeout_s,
        close_timeout=settings.close_timeout_s,
        ping_interval=settings.ping_s,
        ping_timeout=settings.ping_s,
        max_size=settings.max_frame_bytes,
        logger=_wire_logger,
    )
    return UpstreamLink(socket, counters, settings.call_timeout_s)


def _authorization(charger: ChargerId, settings: UpstreamSettings) -> dict[str, str]:
    password = settings.passwords.get(charger, settings.password)
    if password is None:
        return {}
    pair = base64.b64encode(f"{charger}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}
