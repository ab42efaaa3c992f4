"""The stock `ocpp` library as a central system: validates, routes, stores the newest samples, answers.

python -m benchmarks.ocpp.stock
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from benchmarks.ocpp.child import Answer, answer_questions, loop_name, run, state, usage

_ACCEPTED = {"status": "Accepted"}


async def main() -> None:
    """Serve until the parent is done."""
    newest: dict[tuple[str, int], Any] = {}
    messages = 0

    class Stock(ChargePoint):  # type: ignore[misc]
        @on("BootNotification")
        def on_boot(self, **_: Any) -> Any:
            return call_result.BootNotification(datetime.now(UTC).isoformat(), 300, "Accepted")

        @on("StartTransaction")
        def on_start(self, **_: Any) -> Any:
            return call_result.StartTransaction(1, _ACCEPTED)

        @on("MeterValues")
        def on_meter_values(self, connector_id: int, meter_value: list[Any], **_: Any) -> Any:
            nonlocal messages
            newest[(self.id, connector_id)] = meter_value[0]
            messages += 1
            return call_result.MeterValues()

    async def handle(link: ServerConnection) -> None:
        assert link.request is not None
        with suppress(ConnectionClosed):
            await Stock(link.request.path.rsplit("/", 1)[-1], link).start()

    async def mark() -> Answer:
        return {**usage(), "messages": messages}

    async with serve(handle, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], compression=None) as server:
        state(port=next(iter(server.sockets)).getsockname()[1], loop=loop_name())
        await answer_questions(mark=mark)


if __name__ == "__main__":
    run(main())
