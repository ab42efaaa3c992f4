"""Orders reach chargers only from whoever holds the key, and only as what they are."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from panel.cards import ChargerCard, ChargerDetail, ChargerLine
from panel.feed import PanelFeed
from panel.orders import ChargerAnswer, Order, UnlockOrder
from panel.server import create_app
from twin_core.errors import ProtocolError, StorageError

KEY = "a-key-that-nobody-guesses"


class NotingDesk:
    """A desk that notes orders and agrees, or fails as told."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.orders: list[tuple[str, Order]] = []
        self._failure = failure

    def chargers(self) -> list[ChargerLine]:
        line = ChargerLine(charger="CP 1", online=True, vendor="V", model="M", firmware="1", status={1: "Available"})
        return [line]

    def detail(self, name: str) -> ChargerDetail | None:
        return None

    async def charger(self, name: str) -> ChargerCard | None:
        if self._failure is not None:
            raise self._failure
        return None

    async def carry_out(self, name: str, order: Order) -> ChargerAnswer | None:
        if self._failure is not None:
            raise self._failure
        if name != "CP 1":
            return None
        self.orders.append((name, order))
        return ChargerAnswer(charger=name, action="X", outcome="done", said="Accepted", number=None, payload={})


def client(desk: NotingDesk, **headers: str) -> httpx.AsyncClient:
    app = create_app(PanelFeed(), operator=(desk, KEY))
    shown = {"Authorization": f"Bearer {KEY}", **headers}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", headers=shown)


async def test_an_order_reaches_the_charger_it_names() -> None:
    desk = NotingDesk()
    async with client(desk) as http:
        answer = await http.post("/api/chargers/CP%201/orders", json={"operation": "unlock", "connector": 2})
    assert answer.json()["said"] == "Accepted"
    assert desk.orders == [("CP 1", UnlockOrder(connector=2))]


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", f"Basic {KEY}", "Bearer ÿ", KEY])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/chargers"), ("GET", "/api/chargers/CP1"), ("POST", "/api/chargers/CP%201/orders")],
)
async def test_without_the_key_nothing_is_told_or_done(shown: str, method: str, path: str) -> None:
    desk = NotingDesk()
    async with client(desk) as http:
        headers = {"Authorization": shown.encode("latin-1")}
        answer = await http.request(method, path, json={"operation": "reset"}, headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert desk.orders == []


async def test_a_gateway_without_a_desk_has_no_such_door() -> None:
    app = create_app(PanelFeed())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        assert (await http.get("/api/chargers")).status_code == 404


async def test_a_foreign_host_name_is_refused_as_on_every_page() -> None:
    async with client(NotingDesk(), Host="evil.example") as http:
        assert (await http.get("/api/chargers")).status_code == 421


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"operation": "explode"},
        {"operation": "unlock", "connector": 0},
        {"operation": "reset", "hard": True, "soft": True},
        {"operation": "trigger", "message": "Everything"},
        {"operation": "firmware", "location": "not a url"},
        {"operation": "firmware", "location": "file:///etc/passwd\nX"},
        {"operation": "reserve", "connector": 1, "id_tag": "T" * 21},
        {"operation": "reserve", "connector": 1, "id_tag": "T", "minutes": -1},
        {"operation": "cancel", "number": 2**31},
        [],
        "x",
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_and_not_carried_out(order: Any) -> None:
    desk = NotingDesk()
    async with client(desk) as http:
        answer = await http.post("/api/chargers/CP%201/orders", json=order)
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert desk.orders == []


async def test_an_order_too_long_is_not_read_to_its_end() -> None:
    async with client(NotingDesk()) as http:
        assert (await http.post("/api/chargers/CP%201/orders", content=b" " * 20_000)).status_code == 413


async def test_a_charger_that_nobody_knows_is_named_in_the_answer() -> None:
    async with client(NotingDesk()) as http:
        answer = await http.post("/api/chargers/CP9/orders", json={"operation": "reset"})
        assert (answer.status_code, "CP9" in answer.json()["detail"]) == (404, True)
        assert (await http.get("/api/chargers/CP9")).status_code == 404


@pytest.mark.parametrize(("failure", "code"), [(ProtocolError("too long"), 422), (StorageError("disk is full"), 503)])
async def test_what_keeps_an_order_from_being_sent_is_said(failure: Exception, code: int) -> None:
    async with client(NotingDesk(failure)) as http:
        answer = await http.post("/api/chargers/CP%201/orders", json={"operation": "reset"})
    assert (answer.status_code, str(failure) in answer.json()["detail"]) == (code, True)
