"""A charge point and its central system, as the probes of configuration keys meet them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from simulators.charge_point import ChargePoint
from simulators.hardware import Hardware
from simulators.quirks import Quirks
from simulators.vehicle import Vehicle
from tests.simulators.chargers import car, charger, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag

ACCEPTED = {"status": "Accepted"}
TAG = IdTag("TAG")


@dataclass(frozen=True)
class World:
    """What a probe acts on."""

    central: FakeCentral
    point: ChargePoint

    async def call(self, action: str, **payload: Any) -> Any:
        return await self.central.call("CP1", action, payload)

    async def set(self, **values: str) -> None:
        for key, value in values.items():
            assert await self.call("ChangeConfiguration", key=key, value=value) == ACCEPTED

    async def value(self, key: str) -> str:
        (entry,) = (await self.call("GetConfiguration", key=[key]))["configurationKey"]
        value: str = entry["value"]
        return value

    async def plug(self, vehicle: Vehicle | None = None, *, tag: IdTag = TAG, then_s: float = 10.0) -> bool:
        begun = await self.point.plug(1, vehicle or car(), tag)
        await settle(then_s)
        return begun

    async def know(self, *tags: str) -> None:
        """Have tags in the local list."""
        entries = [{"idTag": tag, "idTagInfo": ACCEPTED} for tag in tags]
        sent = await self.call("SendLocalList", listVersion=1, updateType="Full", localAuthorizationList=entries)
        assert sent == ACCEPTED

    def statuses(self, connector: int = 1) -> list[str]:
        return [p["status"] for p in self.central.of("StatusNotification") if p["connectorId"] == connector]

    def stop_reasons(self) -> list[str]:
        return [p["reason"] for p in self.central.of("StopTransaction")]

    def sampled(self, connector: int = 1) -> list[dict[str, str]]:
        """The values of the latest MeterValues of a connector."""
        latest = [p for p in self.central.of("MeterValues") if p["connectorId"] == connector][-1]
        values: list[dict[str, str]] = latest["meterValue"][0]["sampledValue"]
        return values

    def answer_invalid(self) -> None:
        """From now on every transaction is found to have begun with an invalid tag."""
        self.central.answers["StartTransaction"] = lambda _c, _p: {
            "transactionId": 3,
            "idTagInfo": {"status": "Invalid"},
        }


@asynccontextmanager
async def world(
    *, connectors: int = 1, hardware: Hardware | None = None, quirks: Quirks | None = None, password: str | None = None
) -> AsyncIterator[World]:
    spec = charger(connectors=connectors)
    async with (
        FakeCentral() as central,
        switched_on(spec, hardware=hardware, quirks=quirks, password=password) as point,
    ):
        yield World(central, point)
