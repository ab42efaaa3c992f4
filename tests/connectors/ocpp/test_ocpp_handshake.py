"""Which socket becomes which charger's link."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus

from connectors.ocpp.handshake import LoginGuard, chosen_subprotocol, credentials, identity_in, password_matches
from tests.connectors.ocpp.peer import charger_spec, depot, peer, until
from twin_core.errors import ProtocolError
from twin_core.models import events as e
from twin_core.models.ids import ChargerId


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/ocpp/CP1", "CP1"),
        ("/ocpp/CP1/", "CP1"),
        ("//ocpp///CP1", "CP1"),
        ("/ocpp/CP1?token=x", "CP1"),
        ("/ocpp/RDAM%20123", "RDAM 123"),
        ("/ocpp/DE*1".replace("*", "%3A"), "DE:1"),
        ("/ocpp/a-b_c.d", "a-b_c.d"),
    ],
)
def test_the_identity_is_the_last_segment_decoded(path: str, identity: str) -> None:
    assert identity_in(path, "/ocpp") == identity


@pytest.mark.parametrize(
    "path",
    [
        "/ocpp",
        "/ocpp/",
        "/",
        "/CP1",
        "/other/CP1",
        "/ocpp/a/b",
        "/ocpp/a%2Fb",
        "/ocpp/..%2F..%2Fcmd",
        "/ocpp/CP1%0d%0aX",
        "/ocpp/%00",
        "/ocpp/%ff%fe",
        "/ocpp/a%23b",
        "/ocpp/%2B",
        "/ocpp/%3Cscript%3E",
        "/ocpp/" + "x" * 49,
        "/ocpp/'%20OR%201=1",
    ],
)
def test_other_paths_hold_no_identity(path: str) -> None:
    with pytest.raises(ProtocolError):
        identity_in(path, "/ocpp")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["ocpp1.6"], "ocpp1.6"),
        (["OCPP1.6"], "OCPP1.6"),
        (["ocpp1.6j"], "ocpp1.6j"),
        (["ocpp2.0.1", "ocpp1.6", "ocpp1.5"], "ocpp1.6"),
    ],
)
async def test_the_chargers_own_spelling_of_the_protocol_is_spoken(offered: list[str], chosen: str | None) -> None:
    assert chosen_subprotocol(offered) == chosen
    async with depot() as d, peer(d.system.port, subprotocols=offered or None) as cp:
        assert cp.link.subprotocol == chosen
        assert (await cp.boot())["status"] == "Accepted"


async def refused(port: int, name: str = "CP1", **options: Any) -> tuple[int, str]:
    """Status and words of a refused handshake."""
    with pytest.raises(InvalidStatus) as error:
        async with peer(port, name, **options):
            pass
    response = error.value.response
    return response.status_code, (response.body or b"").decode()


async def test_another_protocol_is_refused_in_clear_words() -> None:
    async with depot() as d:
        status, words = await refused(d.system.port, subprotocols=["ocpp2.0.1", "ocpp2.0"])
        assert status == 400
        assert "ocpp1.6" in words
        assert "ocpp2.0.1" in words
        assert d.refused("CP1", "wrong-subprotocol") == 1


async def test_an_unknown_charger_is_refused_once_told_and_always_counted() -> None:
    async with depot() as d:
        for _ in range(5):
            status, _words = await refused(d.system.port, "NOBODY")
            assert status == 404
        assert d.refused("NOBODY", "unknown-charger") == 5
        assert [r.cause for r in d.sink.of(e.InputRefused)] == ["unknown-charger"]
        assert d.system.connected == frozenset()


async def test_a_path_without_an_allowed_identity_is_refused_before_anything_is_looked_up() -> None:
    async with depot() as d:
        status, words = await refused(d.system.port, path="/ocpp/a%2Fb")
        assert status == 404
        assert "not allowed" in words
        assert d.sink.of(e.InputRefused)[0].cause == "bad-identity"


async def test_an_adopted_charger_is_announced_before_its_link() -> None:
    spec = charger_spec("NEW")
    adopted = type(spec)(spec.id, spec.connectors, adopted=True)
    async with depot(adopted) as d, peer(d.system.port, "NEW") as cp:
        await cp.boot()
        assert [type(x) for x in d.sink.events[:2]] == [e.ChargerAdopted, e.ChargerConnected]


async def test_a_charger_with_a_password_must_show_its_own() -> None:
    specs = (charger_spec("CP1"), charger_spec("CP2"))
    async with depot(*specs, passwords={"CP1": "secret-one-16ch", "CP2": "secret-two-16ch"}, login_backoff_s=0.0) as d:
        async with peer(d.system.port, password="secret-one-16ch") as cp:
            assert (await cp.boot())["status"] == "Accepted"
        for options in ({}, {"password": "wrong"}, {"password": "secret-two-16ch"}, {"password": ""}):
            assert (await refused(d.system.port, **options))[0] == 401
        # A right password of another charger, shown by its right user, opens no door but its own.
        assert (await refused(d.system.port, user="CP2", password="secret-two-16ch"))[0] == 401
        assert (await refused(d.system.port, user="CP2", password="secret-one-16ch"))[0] == 401
        assert d.refused("CP1", "wrong-password") == 6
        told = " ".join(str(r) for r in d.sink.of(e.InputRefused))
        assert "secret" not in told


async def test_an_unknown_identity_is_answered_like_a_wrong_password() -> None:
    async with depot(passwords={"CP1": "right"}, login_backoff_s=0.0) as d:
        wrong = await refused(d.system.port, password="guess")
        assert wrong[0] == 401
        assert await refused(d.system.port, "NOBODY", password="guess") == wrong
    async with depot(passwords={"CP1": "right"}, conceal_unknown=True) as d:
        assert (await refused(d.system.port, "NOBODY"))[0] == 401


async def test_guessing_gets_slower_and_slower_and_stops_nobody_else() -> None:
    specs = (charger_spec("CP1"), charger_spec("CP2"))
    async with depot(*specs, passwords={"CP1": "right"}) as d:
        statuses = [(await refused(d.system.port, password=f"guess{n}"))[0] for n in range(50)]
        assert statuses[0] == 401
        assert statuses[1:] == [429] * 49
        async with peer(d.system.port, "CP2") as other:
            assert (await other.boot())["status"] == "Accepted"
        await asyncio.sleep(1)
        async with peer(d.system.port, password="right") as cp:
            assert (await cp.boot())["status"] == "Accepted"


def test_the_wait_doubles_and_a_right_password_ends_it() -> None:
    guard, identity = LoginGuard(0.5), ChargerId("CP1")
    waits = []
    for _ in range(4):
        guard.failed("1.2.3.4", identity, 100.0)
        waits.append(guard.wait_s("1.2.3.4", identity, 100.0))
    assert waits == [0.5, 1.0, 2.0, 4.0]
    assert guard.wait_s("5.6.7.8", identity, 100.0) == 0.0
    guard.passed("1.2.3.4", identity)
    assert guard.wait_s("1.2.3.4", identity, 100.0) == 0.0


@pytest.mark.parametrize("header", ["Bearer x", "Basic", "Basic !!!", "Basic " + "Q1Ax", "Basic /w=="])
def test_credentials_that_cannot_be_read_are_none(header: str) -> None:
    assert credentials(Headers(Authorization=header)) is None


def test_no_password_expected_is_none_that_matches() -> None:
    assert not password_matches(ChargerId("CP1"), None, ("CP1", b""))


@pytest.mark.parametrize(
    ("expected", "shown", "opens"),
    [
        ("plain text of 1", b"plain text of 1", True),
        ("e0" * 20, b"\xe0" * 20, True),
        ("E0" * 16, b"\xe0" * 16, True),
        ("e0" * 20, b"e0" * 20, True),
        ("e0" * 20, b"\xe0" * 19, False),
        ("e0" * 15, b"\xe0" * 15, False),
        ("\u00e0" * 16, b"\xe0" * 16, False),
        ("", b"", True),
    ],
)
def test_a_password_in_hexadecimal_is_the_bytes_it_means_or_the_text_it_is(
    expected: str, shown: bytes, *, opens: bool
) -> None:
    assert password_matches(ChargerId("CP1"), expected, ("CP1", shown)) is opens


async def test_a_duplicate_of_a_charger_that_answers_is_refused_every_time() -> None:
    async with depot(refusal_interval_s=0) as d, peer(d.system.port) as first:
        await first.boot()
        for _ in range(100):
            assert (await refused(d.system.port))[0] == 409
        assert d.refused("CP1", "duplicate-identity") == 100
        assert (await first.call("Heartbeat"))[0] == 3
        assert len(d.sink.of(e.ChargerConnected)) == 1
        assert d.sink.of(e.ChargerDisconnected) == []


async def test_two_sockets_in_the_same_moment_become_one_link() -> None:
    async with depot() as d:
        results = await asyncio.gather(*(hold(d.system.port) for _ in range(5)), return_exceptions=True)
        assert results.count("served") == 1
        assert len(d.sink.of(e.ChargerConnected)) == 1


async def hold(port: int) -> str:
    async with peer(port) as cp:
        await cp.boot()
        await asyncio.sleep(5)
        return "served"


async def test_a_slow_handshake_is_ended_and_delays_nobody() -> None:
    async with depot() as d:
        loop = asyncio.get_running_loop()
        silent, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", d.system.port)
        async with peer(d.system.port) as cp:
            await cp.boot()
        await until(silent.is_closing, 10)
