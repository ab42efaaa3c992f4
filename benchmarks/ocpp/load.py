"""Chargers that report as fast as they are answered: the load of the throughput figures.

Each boots, takes whatever it is told, starts a transaction, and then keeps one MeterValues with ten samples in full
(1.6 kB) on its way for ever.

    python -m benchmarks.ocpp.load PORT CHARGERS
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.ocpp.child import run, state
from benchmarks.ocpp.gateway import charger_name

SETTLE_S = 2.0
"""For the set-up that follows a boot."""
_PHASED = [("Current.Import", "A", "10.1"), ("Voltage", "V", "231.2"), ("Power.Active.Import", "W", "2335.0")]
_REFUSED = {"GetCompositeSchedule"}


def meter_values(transaction_id: int) -> dict[str, Any]:
    """A MeterValues payload with ten samples, each with every field that chargers commonly send."""
    alike = {"context": "Sample.Periodic", "format": "Raw", "location": "Outlet"}
    samples = [
        {"value": value, **alike, "measurand": measurand, "phase": phase, "unit": unit}
        for measurand, unit, value in _PHASED
        for phase in ("L1", "L2", "L3")
    ]
    samples.append({"value": "123456", **alike, "measurand": "Energy.Active.Import.Register", "unit": "Wh"})
    moment = {"timestamp": _now(), "sampledValue": samples}
    return {"connectorId": 1, "transactionId": transaction_id, "meterValue": [moment]}


class _Charger:
    """One charger on its link; asks one thing at a time and answers in between."""

    def __init__(self, link: ClientConnection) -> None:
        self._link = link
        self._asked = 0

    async def ask(self, action: str, payload: str) -> Any:
        """The answer to a CALL.

        Raises:
            RuntimeError: it was no result.
        """
        self._asked += 1
        await self._link.send(f'[2,"{self._asked}","{action}",{payload}]')
        while True:
            frame = await self._link.recv(decode=False)
            if frame.startswith(b"[2"):
                await self._obey(json.loads(frame))
            elif frame.startswith(b"[3"):
                return frame
            else:
                raise RuntimeError(f"not answered with a result: {frame!r}")

    async def listen(self, seconds: float) -> None:
        """Take what one is told for a while."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self._obey(json.loads(await self._link.recv()))
        except TimeoutError:
            return

    async def _obey(self, call: list[Any]) -> None:
        _, unique_id, action, payload = call
        answer: dict[str, Any] = {"status": "Rejected" if action in _REFUSED else "Accepted"}
        if action == "GetConfiguration":
            answer = {"configurationKey": [], "unknownKey": payload.get("key", [])}
        await self._link.send(json.dumps([3, unique_id, answer]))


async def drive(port: int, number: int, ready: asyncio.Barrier) -> None:
    """One charger, for ever."""
    url = f"ws://127.0.0.1:{port}/ocpp/{charger_name(number)}"
    protocols = [Subprotocol("ocpp1.6")]
    async with connect(url, subprotocols=protocols, compression=None, proxy=None, ping_interval=None) as link:
        charger = _Charger(link)
        await charger.ask("BootNotification", '{"chargePointVendor":"bench","chargePointModel":"load"}')
        await charger.listen(SETTLE_S)
        start = {"connectorId": 1, "idTag": "CAR", "meterStart": 100_000, "timestamp": _now()}
        _, _, answer = json.loads(await charger.ask("StartTransaction", json.dumps(start)))
        await ready.wait()
        payload = json.dumps(meter_values(answer["transactionId"]))
        while True:
            await charger.ask("MeterValues", payload)


async def main(port: int, chargers: int) -> None:
    """Every charger, from when all have begun."""
    ready = asyncio.Barrier(chargers + 1)
    drivers = [asyncio.create_task(drive(port, number, ready)) for number in range(chargers)]
    beginning = asyncio.create_task(ready.wait())
    await asyncio.wait([beginning, *drivers], return_when=asyncio.FIRST_COMPLETED)
    if beginning.done():
        state(charging=chargers)
    await asyncio.gather(*drivers)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    run(main(int(sys.argv[1]), int(sys.argv[2])))
