"""Where certification cases are played from the other side: our charge point, a plain scripted central system.

The central system accepts everything unless a case says otherwise. The rules are checked when a case ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from simulators.charge_point import ChargePoint
from tests.simulators.charge_point_schemas import faults, faults_of_all_said
from tests.simulators.chargers import car, charger, switched_on
from tests.simulators.fake_central import FakeCentral, settle
from twin_core.models.ids import IdTag

ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}
DRIVER = "DRIVER"


@dataclass
class PointStage:
    """One case: the scripted central system, our charge point of two connectors, and what broke a schema."""

    central: FakeCentral
    point: ChargePoint
    wrong: list[str] = field(default_factory=list)

    async def ask(self, action: str, **payload: Any) -> dict[str, Any]:
        """The central system asks something, by its schema; the CALLRESULT, which must be one by its schema."""
        self.wrong += faults(action, payload)
        answer = await self.central.call("CP1", action, payload)
        assert isinstance(answer, dict), f"{action} got an error: {answer}"
        self.wrong += faults(f"{action}Response", answer)
        return answer

    async def set(self, **settings: str) -> None:
        for key, value in settings.items():
            assert await self.ask("ChangeConfiguration", key=key, value=value) == ACCEPTED

    async def arrives(self, tag: str = DRIVER, connector: int = 1, *, wanted_kwh: float = 20.0) -> bool:
        """A vehicle is plugged in and its driver shows a tag; whether a session began."""
        began = await self.point.plug(connector, car(wanted=wanted_kwh), IdTag(tag))
        await settle(10)
        return began

    def said(self, action: str) -> list[dict[str, Any]]:
        return self.central.of(action)

    def order(self, *actions: str, since: int = 0) -> list[str]:
        """Which of these messages came, in order."""
        return [heard.action for heard in self.central.heard[since:] if heard.action in actions]

    def statuses(self, connector: int = 1) -> list[str]:
        return [p["status"] for p in self.said("StatusNotification") if p["connectorId"] == connector]

    def told(self, action: str) -> list[str]:
        """States that a message reported."""
        return [payload["status"] for payload in self.said(action)]

    def stopped(self) -> list[str]:
        return [payload["reason"] for payload in self.said("StopTransaction")]

    def knows(self, **tags: str) -> None:
        """The central system's list of tags: their status by name; others are Invalid."""

        def info(_: str, payload: dict[str, Any]) -> dict[str, Any]:
            return {"idTagInfo": {"status": tags.get(payload["idTag"], "Invalid")}}

        self.central.answers["Authorize"] = info
        self.central.answers["StartTransaction"] = lambda c, p: {"transactionId": 501, **info(c, p)}

    async def goes_offline(self) -> None:
        await self.central.stop()
        await settle(5)

    async def comes_back(self) -> None:
        await self.central.listen()
        await settle(120)

    def check_rules(self) -> None:
        """What holds in every case: schemas both ways, every message understood, every question answered."""
        wire = self.point.wire
        assert [*self.wrong, *faults_of_all_said(self.central)] == []
        assert (wire.errors_sent, wire.errors_received, wire.malformed, wire.unmatched, wire.dropped) == (0,) * 5
        assert self.point.controller.outbox.counts.abandoned == 0


@asynccontextmanager
async def point_stage(password: str | None = None) -> AsyncIterator[PointStage]:
    """A charge point that has booted."""
    async with FakeCentral() as central, switched_on(charger(connectors=2), password=password) as point:
        s = PointStage(central, point)
        yield s
        s.check_rules()


def root_certificate() -> str:
    """A certificate that signed itself, in PEM."""
    key, begin = ec.generate_private_key(ec.SECP256R1()), datetime(2026, 1, 1, tzinfo=UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=900))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()
