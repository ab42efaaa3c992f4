"""Where certification cases are played: our central system, a plain scripted charger, and rules for every case.

The charger shares no code with our central system nor with our virtual charge point: it says what a case tells it to
and answers what the case wants answered. The rules are checked when a case ends.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from connectors.ocpp.local_lists import LocalLists
from connectors.ocpp.operations import Operations
from connectors.ocpp.requests import Request
from connectors.ocpp.reservations import Reservations
from connectors.ocpp.tls import ListeningTls
from connectors.ocpp.upkeep import MemoryUpkeep
from gateway.authorisation import CentralList
from gateway.site_file import parse_site
from tests.connectors.ocpp.peer import ACCEPTED, Depot, Peer, charger_spec, depot, peer, until, wall_clock
from tests.fakes import EPOCH, LoopClock
from tests.simulators.charge_point_schemas import faults
from twin_core.models import events as e
from twin_core.models.authorisation import ReservationState
from twin_core.models.ids import ChargerId

CP1 = ChargerId("CP1")
DRIVER, SISTER, FAMILY = "DRIVER", "SISTER", "FAMILY"
LATER = EPOCH + timedelta(hours=1)

SITE = """
name = "certification"

[grid]
limit_a = 400

[[tags]]
id_tag = "DRIVER"

[[tags]]
id_tag = "SISTER"
group = "FAMILY"

[[tags]]
id_tag = "FAMILY"

[[tags]]
id_tag = "LATE"
expires = 2026-05-31T12:00:00Z

[[tags]]
id_tag = "BARRED"
blocked = true
"""

ANSWERS: dict[str, Any] = {
    "GetConfiguration": {},
    "GetDiagnostics": {"fileName": "diagnostics.log"},
    "GetLocalListVersion": {"listVersion": 0},
    "UpdateFirmware": {},
}
"""What the charger answers unless a case says otherwise; everything else is Accepted."""


def clock_time(seconds: float = 0.0) -> str:
    """A moment of the case as a charger writes it."""
    return (EPOCH + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


@dataclass
class Stage:
    """One case: the scripted charger `cp`, an operator's ways to it, and what our side made of everything."""

    depot: Depot
    links: AsyncExitStack
    operations: Operations
    lists: LocalLists
    reservations: Reservations
    upkeep: MemoryUpkeep
    cp: Peer = field(init=False)
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    dialled: int = 0

    async def dials(self, **options: Any) -> None:
        """The charger's link ends, where it has one, and it calls again."""
        await self.links.aclose()
        self.forget()
        answers = {**ANSWERS, **(self.cp.answers if self.dialled else {})}
        self.cp = await self.links.enter_async_context(peer(self.depot.system.port, answers=answers, **options))
        self.cp.asked = self.heard
        self.dialled += 1

    async def dials_beside(self, **options: Any) -> None:
        """A second socket claims the charger's identity, and hangs up if it is let in."""
        async with peer(self.depot.system.port, **options):
            pass

    async def says(self, action: str, **payload: Any) -> dict[str, Any]:
        """The charger asks something, by its schema; returns the CALLRESULT, which must be one by its schema."""
        self.wrong += faults(action, payload)
        kind, _, answer = (await self.cp.call(action, payload))[:3]
        assert kind == 3, f"{action} got an error: {answer}"
        self.wrong += faults(f"{action}Response", answer)
        return dict(answer)

    async def boots(self) -> dict[str, Any]:
        """BootNotification, answered, and the boot order that follows it."""
        before = len(self.depot.sink.of(e.ChargerCommissioned))
        answer = await self.says("BootNotification", chargePointVendor="Plain", chargePointModel="Script")
        await until(lambda: len(self.depot.sink.of(e.ChargerCommissioned)) > before)
        return answer

    async def status(self, word: str, connector: int = 1, *, error: str = "NoError", **more: Any) -> None:
        await self.says("StatusNotification", connectorId=connector, status=word, errorCode=error, **more)

    async def shows(self, tag: str) -> str:
        """Authorize; the status of the tag."""
        return str((await self.says("Authorize", idTag=tag))["idTagInfo"]["status"])

    async def starts(self, tag: str = DRIVER, *, at_s: float = 0.0, **more: Any) -> tuple[int, str]:
        """StartTransaction; the transaction's number and the status of the tag."""
        payload = {"connectorId": 1, "idTag": tag, "meterStart": 0, "timestamp": clock_time(at_s), **more}
        answer = await self.says("StartTransaction", **payload)
        return answer["transactionId"], answer["idTagInfo"]["status"]

    async def stops(
        self, transaction: int, reason: str = "Local", *, at_s: float = 60.0, **more: Any
    ) -> dict[str, Any]:
        """StopTransaction."""
        payload = {"transactionId": transaction, "meterStop": 10, "timestamp": clock_time(at_s), **more}
        return await self.says("StopTransaction", reason=reason, **payload)

    async def charges(self, tag: str = DRIVER, **more: Any) -> int:
        """A session up to Charging; its transaction's number."""
        await self.status("Preparing")
        assert await self.shows(tag) == "Accepted"
        transaction, status = await self.starts(tag, **more)
        assert status == "Accepted"
        await self.status("Charging")
        return transaction

    async def ask(self, request: Request) -> Any:
        """The operator asks anything of the table of requests."""
        return await self.operations.ask(CP1, request)

    def asked(self, action: str) -> list[dict[str, Any]]:
        """What the charger was asked since it dialled, booting at the beginning of a case left out."""
        return [payload for name, payload in self.heard if name == action]

    def forget(self) -> None:
        """What was asked so far is held to the schemas and looked at no more."""
        self.wrong += [fault for action, payload in self.heard for fault in faults(action, payload)]
        self.heard.clear()

    def of(self, kind: type[Any]) -> list[Any]:
        """What the twin was told, of one kind."""
        return self.depot.sink.of(kind)

    def statuses(self, connector: int = 1) -> list[str]:
        """Statuses the twin was told of a connector."""
        reported = self.of(e.ConnectorStatusReported)
        return [event.status.value for event in reported if event.connector_id.number == connector]

    def running(self) -> list[int]:
        """Transactions on disk that are open."""
        return [int(number) for number in self.depot.ledger.open]

    def reserved(self) -> list[ReservationState]:
        """How far reservations came, in order."""
        return [event.state for event in self.of(e.ReservationChanged)]

    def check_rules(self, refused: dict[str, int]) -> None:
        """What holds in every case.

        Every message was by its schema in both directions; nothing was refused or found flawed but what the case
        wants refused; every question was answered in time; and only the charger itself ever ended its link.
        """
        self.forget()
        assert self.wrong == []
        counters = self.depot.system.counters["CP1"]
        assert dict(counters.refused) == refused
        assert dict(counters.flawed) == {}
        assert (counters.timeouts, counters.unknown_answers, self.cp.stray) == (0, 0, [])
        ended = [event.reason for event in self.of(e.ChargerDisconnected)]
        assert all(reason.startswith("closed 1000") for reason in ended), ended
        assert len(ended) == self.dialled - 1


@asynccontextmanager
async def stage(
    *,
    boots: bool = True,
    refused: dict[str, int] | None = None,
    password: str | None = None,
    tls: ListeningTls | None = None,
    shows: ssl.SSLContext | None = None,
    **answers: Any,
) -> AsyncIterator[Stage]:
    """A depot with one charger of two connectors, booted unless told not to.

    Args:
        boots: whether the charger has booted and been commissioned when the case begins.
        refused: what the case wants refused, by cause.
        password: the one it must show, and shows.
        tls: what our side listens with; it then goes by the machine's clock.
        shows: what the charger trusts and shows in TLS.
        answers: the charger's, by action.
    """
    kept, clock, numbers = MemoryUpkeep(), LoopClock() if tls is None else wall_clock(), count(501)
    passwords = {} if password is None else {"CP1": password}
    site, _ = parse_site(SITE, "certification")
    around: dict[str, Any] = {"upkeep": kept, "clock": clock, "passwords": passwords, "tls": tls}
    async with depot(charger_spec("CP1", 2), login_backoff_s=0.0, **around) as d:
        d.directory.authorise = CentralList(site).standing  # type: ignore[method-assign]
        operations = Operations(d.system, lambda: next(numbers))
        lists = LocalLists(operations, kept, d.sink, clock)
        reservations = Reservations(d.system, operations, kept, d.sink, clock, lambda: next(numbers))
        async with AsyncExitStack() as links:
            s = Stage(d, links, operations, lists, reservations, kept)
            await s.dials(password=password, tls=shows)
            s.cp.answers.update(answers)
            if boots:
                await s.boots()
                s.forget()
            yield s
            s.check_rules(refused or {})


__all__ = ["ACCEPTED", "CP1", "DRIVER", "FAMILY", "LATER", "SISTER", "Stage", "clock_time", "stage"]
