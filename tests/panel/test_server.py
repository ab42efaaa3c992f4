import asyncio
import json
import logging
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import httpx
import pytest
import websockets

from panel.feed import PanelFeed
from panel.history import SITE_FIELDS
from panel.server import PanelServer, create_app
from panel.view import view
from tests.panel.depot import AFTERNOON, NOON, report
from tests.panel.desks import KnowingDesk, detail
from twin_core.errors import ConfigurationError, StorageError
from twin_core.models.quantities import Instant


def fed(seconds: int = 3) -> PanelFeed:
    feed = PanelFeed()
    for number in range(seconds):
        feed.publish(view(report(now=Instant(0.0, NOON).later(10 * number))))
    return feed


def client(feed: PanelFeed, **options: object) -> httpx.AsyncClient:
    app = create_app(feed, **options)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_the_view_is_served_as_it_is() -> None:
    feed = fed()
    async with client(feed) as http:
        answer = await http.get("/api/view")
    assert feed.view is not None
    assert answer.json() == feed.view.model_dump(mode="json")


async def test_before_the_first_cycle_the_panel_says_so_and_is_alive() -> None:
    async with client(PanelFeed()) as http:
        assert (await http.get("/api/view")).status_code == 503
        assert (await http.get("/api/history")).status_code == 503
        assert (await http.get("/healthz")).json()["status"] == "waiting"


async def test_without_a_store_the_last_hours_come_from_memory() -> None:
    async with client(fed(5)) as http:
        told = (await http.get("/api/history?measurement=site")).json()
    assert len(told["time_s"]) == 5
    assert set(told["columns"]) == set(SITE_FIELDS)


class Store:
    """A history that knows one series, or cannot be read."""

    def __init__(self, *, broken: bool = False) -> None:
        self.asked: list[dict[str, str]] = []
        self._broken = broken

    async def series(
        self,
        measurement: str,
        tags: Mapping[str, str],
        field: str,
        since: datetime,
        until: datetime,
        step_s: float = 60,
    ) -> Sequence[tuple[datetime, float]]:
        self.asked.append(dict(tags))
        if self._broken:
            raise StorageError("the disk is gone")
        return [(NOON - timedelta(minutes=5), 7.5)] if field == "power_kw" else []


async def test_a_store_is_asked_with_its_own_tags_and_those_of_the_request() -> None:
    store = Store()
    async with client(fed(), history=store, history_tags={"site": "north"}) as http:
        told = (await http.get("/api/history?measurement=connector&field=power_kw&connector=CP-01/1")).json()
    assert told["columns"] == {"power_kw": [7.5]}
    assert store.asked == [{"site": "north", "connector": "CP-01/1"}]


async def test_a_store_that_cannot_be_read_is_a_clear_answer_and_not_a_crash() -> None:
    async with client(fed(), history=Store(broken=True)) as http:
        answer = await http.get("/api/history")
    assert (answer.status_code, answer.json()["detail"]) == (503, "history cannot be read now: the disk is gone")


@pytest.mark.parametrize(
    "query",
    ["measurement=site;drop", "hours=0", "hours=nan", "hours=1e9", "until=2026-06-01T12:00:00", "field=' OR 1", "x=1"],
)
async def test_a_request_that_makes_no_sense_is_refused(query: str) -> None:
    async with client(fed()) as http:
        assert (await http.get(f"/api/history?{query}")).status_code == 422


@pytest.mark.parametrize("path", ["/", "/api/view", "/js/main.js", "/nothing", "/api/history?hours=0"])
async def test_every_answer_carries_the_policy_that_lets_no_foreign_or_inline_script_run(path: str) -> None:
    async with client(fed()) as http:
        headers = (await http.get(path)).headers
    policy = headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


async def test_a_name_that_is_not_the_panels_is_refused_so_that_no_page_can_rebind_it() -> None:
    async with client(fed()) as http:
        assert (await http.get("/api/view", headers={"host": "evil.example:8080"})).status_code == 421
        for host in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080"):
            assert (await http.get("/api/view", headers={"host": host})).status_code == 200


async def test_files_outside_the_pages_are_not_served() -> None:
    async with client(fed()) as http:
        for path in ("/../server.py", "/%2e%2e/server.py", "/js/../../server.py", "/.git/config"):
            assert (await http.get(path)).status_code == 404


async def test_a_socket_gets_a_snapshot_then_deltas_and_a_snapshot_again_when_it_asks() -> None:
    feed = fed()
    async with PanelServer(create_app(feed), port=0) as server:
        url = f"ws://127.0.0.1:{server.port}/ws"
        async with websockets.connect(url, proxy=None, compression=None) as link:
            first = json.loads(await link.recv())
            feed.publish(view(report(now=Instant(0.0, NOON).later(500))))
            second = json.loads(await link.recv())
            await link.send("not json")
            await link.send('{"type": "resync"}')
            third = json.loads(await link.recv())
    assert [first["type"], second["type"], third["type"]] == ["snapshot", "delta", "snapshot"]
    assert [second["seq"], third["seq"]] == [first["seq"] + 1, first["seq"] + 1]
    assert third["view"]["site"]["time"] == "2026-06-01T12:08:20Z"


async def test_a_page_of_another_origin_may_not_open_the_socket() -> None:
    async with PanelServer(create_app(fed()), port=0) as server:
        url = f"ws://127.0.0.1:{server.port}/ws"
        with pytest.raises(websockets.InvalidStatus):
            async with websockets.connect(url, proxy=None, origin=websockets.Origin("http://evil.example")):
                pass


async def test_a_browser_that_stops_reading_is_dropped_while_another_sees_every_delta() -> None:
    feed = PanelFeed(send_timeout_s=0.3)
    views = [view(report(AFTERNOON * 12, now=Instant(0.0, NOON).later(n), shedding=bool(n % 2))) for n in range(2)]
    feed.publish(views[0])
    async with PanelServer(create_app(feed), port=0) as server:
        address = ("127.0.0.1", server.port)
        asleep = socket.create_connection(address)
        asleep.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asleep.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        async with websockets.connect(f"ws://127.0.0.1:{server.port}/ws", proxy=None, max_size=None) as link:
            kinds = [json.loads(await link.recv())["type"]]
            for number in range(600):
                feed.publish(views[(number + 1) % 2])
                kinds.append(json.loads(await link.recv())["type"])
                if feed.counters.dropped:
                    break
        asleep.close()
    assert feed.counters.dropped == 1
    assert kinds[0] == "snapshot"
    assert set(kinds[1:]) == {"delta"}


async def test_a_taken_port_is_told_in_one_sentence() -> None:
    async with PanelServer(create_app(fed()), port=0) as first:
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{first.port}.*--panel-port"):
            async with PanelServer(create_app(fed()), port=first.port):
                pass


async def test_the_server_leaves_its_port_and_its_loop_clean_behind_it(caplog: pytest.LogCaptureFixture) -> None:
    feed = fed()
    before = asyncio.all_tasks()
    async with PanelServer(create_app(feed), port=0) as server:
        port = server.port
        link = await websockets.connect(f"ws://127.0.0.1:{port}/ws", proxy=None)
        await link.recv()
    await link.close()
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() - before == set()
    assert feed.watchers == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_what_is_known_of_a_charger_is_shown_to_whoever_looks_and_no_more() -> None:
    desk = KnowingDesk({"CP 1": detail("CP 1", "Alfen")})
    async with client(fed(), operator=(desk, "key")) as http:
        shown = await http.get("/api/charger", params={"name": "CP 1"})
        assert shown.json() == desk.details["CP 1"].model_dump(mode="json")
        assert "certificate_wanted" not in shown.json()
        assert (await http.get("/api/charger", params={"name": "CP2"})).status_code == 404
        assert (await http.get("/api/charger", params={"name": "C" * 101})).status_code == 422
    async with client(fed()) as http:
        assert (await http.get("/api/charger", params={"name": "CP 1"})).status_code == 404
