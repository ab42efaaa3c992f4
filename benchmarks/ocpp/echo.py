"""The least a server can do: one that answers every frame unread, on each transport.

python -m benchmarks.ocpp.echo picows
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from benchmarks.ocpp.child import Answer, answer_questions, loop_name, run, state, usage

_ANSWERS = {b"Bo": b'{"status":"Accepted"}', b"St": b'{"transactionId":1,"idTagInfo":{"status":"Accepted"}}'}


class Unread:
    """Answers by the first letters of the action alone, and counts."""

    def __init__(self) -> None:
        self.messages = 0

    def answer(self, frame: bytes) -> bytes:
        """A result with the id of the call."""
        self.messages += 1
        unique_id, action = frame[3:30].split(b",")[:2]
        return b"[3,%b,%b]" % (unique_id, _ANSWERS.get(action[1:3], b"{}"))

    async def mark(self) -> Answer:
        """How far it is."""
        return {**usage(), "messages": self.messages}


async def main(transport: str) -> None:
    """Serve until the parent is done."""
    unread = Unread()
    server = await (_picows(unread) if transport == "picows" else _websockets(unread))
    state(port=next(iter(server.sockets)).getsockname()[1], loop=loop_name())
    await answer_questions(mark=unread.mark)


async def _websockets(unread: Unread) -> Any:
    async def handle(link: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await link.send(unread.answer(await link.recv(decode=False)), text=True)

    return await serve(handle, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], compression=None)


async def _picows(unread: Unread) -> Any:
    import picows  # noqa: PLC0415 -- not always installed

    class Listener(picows.WSListener):  # type: ignore[misc]
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if frame.msg_type == picows.WSMsgType.TEXT:
                transport.send(picows.WSMsgType.TEXT, unread.answer(frame.get_payload_as_bytes()))

    def greet(request: Any) -> Any:
        headers = {"Sec-WebSocket-Protocol": "ocpp1.6"}
        response = picows.WSUpgradeResponse.create_101_response(extra_headers=headers)
        return picows.WSUpgradeResponseWithListener(response, Listener())

    return await picows.ws_create_server(greet, "127.0.0.1", 0)


if __name__ == "__main__":
    run(main(sys.argv[1]))
