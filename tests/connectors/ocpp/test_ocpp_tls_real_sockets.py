"""Security profiles 2 and 3 on our own socket: who may connect, and what those who may not are told."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage, InvalidStatus

from connectors.ocpp.tls import ListeningTls, check_tls
from simulators.credentials import Credentials
from tests.connectors.ocpp.certificates import Certificates, past
from tests.connectors.ocpp.peer import Depot, charger_spec, depot, until, wall_clock
from tests.fakes import LoopClock
from tests.simulators.chargers import charger, switched_on
from twin_core.errors import ConfigurationError


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@asynccontextmanager
async def secured(certificates: Certificates, *, asks: bool = True, **options: Any) -> AsyncIterator[Depot]:
    tls = ListeningTls(certificates.files(asks=asks), wall_clock())
    async with depot(charger_spec("CP1"), charger_spec("CP2"), clock=wall_clock(), tls=tls, **options) as d:
        yield d


async def knock(d: Depot, credentials: Credentials, name: str = "CP1", password: str | None = None) -> None:
    """Open a link and close it."""
    url = f"wss://127.0.0.1:{d.system.port}/ocpp/{name}"
    pair = base64.b64encode(f"{name}:{password}".encode()).decode()
    headers = {} if password is None else {"Authorization": f"Basic {pair}"}
    async with connect(
        url,
        ssl=credentials.context(),
        subprotocols=["ocpp1.6"],  # type: ignore[list-item]
        additional_headers=headers,
        compression=None,
        proxy=None,
        open_timeout=5,
    ) as link:
        await link.ping()


async def refusal(d: Depot, credentials: Credentials, name: str = "CP1", password: str | None = None) -> int:
    """The HTTP status one is refused with; 0 where TLS ended it."""
    try:
        await knock(d, credentials, name, password)
    except InvalidStatus as refused:
        return refused.response.status_code
    except (OSError, InvalidMessage):  # cut, maybe only after the client's side of the handshake
        return 0
    raise AssertionError("it was let in")


async def test_a_virtual_charger_lives_over_tls_with_its_own_certificate_and_no_password(
    certificates: Certificates,
) -> None:
    async with secured(certificates) as d:
        url = f"wss://127.0.0.1:{d.system.port}/ocpp"
        spec, own = charger("CP1"), certificates.charger("CP1")
        async with switched_on(spec, url=url, credentials=own) as point:
            assert point.online
            assert d.system.connected == {"CP1"}
            assert point.controller.configuration.text("SecurityProfile") == "3"


async def test_with_a_password_tls_alone_is_enough(certificates: Certificates) -> None:
    async with secured(certificates, asks=False, passwords={"CP1": "right"}) as d:
        await knock(d, certificates.bare(), password="right")
        assert await refusal(d, certificates.bare(), password="wrong") == 401
        await asyncio.sleep(1.1)
        assert await refusal(d, certificates.bare()) == 401


async def test_where_certificates_are_asked_for_a_charger_without_one_shows_its_password(
    certificates: Certificates,
) -> None:
    async with secured(certificates, passwords={"CP2": "right"}, login_backoff_s=0.0) as d:
        await knock(d, certificates.bare(), "CP2", "right")
        assert await refusal(d, certificates.bare(), "CP2", "wrong") == 401
        assert d.refused("CP2", "wrong-password") == 1
        assert await refusal(d, certificates.bare(), "CP1") == 401
        assert d.refused("CP1", "no-certificate") == 1
        await knock(d, certificates.charger("CP2"), "CP2")


async def test_a_certificate_opens_the_door_of_its_own_identity_alone(certificates: Certificates) -> None:
    async with secured(certificates, passwords={"CP2": "right"}, login_backoff_s=0.0) as d:
        other = certificates.charger("CP1")
        assert await refusal(d, other, "CP2") == 403
        assert await refusal(d, other, "CP2", "right") == 403
        assert d.refused("CP2", "wrong-certificate") == 2
        await knock(d, other, "CP1")


@pytest.mark.parametrize("fault", ["expired", "another authority"])
async def test_a_certificate_that_is_no_good_ends_in_tls_and_is_counted_with_its_reason(
    certificates: Certificates, fault: str
) -> None:
    ends = past() + timedelta(days=1) if fault == "expired" else None
    authority = trustme.CA() if fault == "another authority" else None
    async with secured(certificates) as d:
        assert await refusal(d, certificates.charger("CP1", authority=authority, ends=ends)) == 0
        await until(lambda: d.refused("tls", "tls-handshake") == 1, 5)
        assert d.system.connected == frozenset()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_before_1_2_and_no_tls_at_all_are_refused(certificates: Certificates) -> None:
    async with secured(certificates, asks=False) as d:
        old = certificates.bare()
        context = old.context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        assert await refusal(d, old) == 0
        assert ListeningTls(certificates.files(), wall_clock()).context.minimum_version is ssl.TLSVersion.TLSv1_2
        with pytest.raises((OSError, InvalidMessage)):
            await connect(f"ws://127.0.0.1:{d.system.port}/ocpp/CP1", proxy=None, open_timeout=5)
        await until(lambda: d.refused("tls", "tls-handshake") == 2, 5)
        await knock(d, certificates.bare())


async def test_a_renewed_certificate_is_shown_to_new_links_without_a_restart_and_a_bad_one_never(
    certificates: Certificates,
) -> None:
    tls = ListeningTls(certificates.files(asks=False), wall_clock())
    async with depot(charger_spec("CP1"), clock=wall_clock(), tls=tls) as d:
        await knock(d, certificates.bare())
        newer = trustme.CA()
        certificates.issue(authority=newer)
        tls.look()
        newer.cert_pem.write_to_path(certificates.folder / "newer.pem")
        await knock(d, Credentials(certificates.folder / "newer.pem"))
        with pytest.raises(ssl.SSLCertVerificationError):
            await knock(d, certificates.bare())
        # Written half: a new certificate with the key of the one before.
        key = (certificates.folder / "gateway.key").read_bytes()
        certificates.issue()
        (certificates.folder / "gateway.key").write_bytes(key)
        tls.look()
        await knock(d, Credentials(certificates.folder / "newer.pem"))


async def test_files_that_cannot_be_used_are_named_with_what_to_do(certificates: Certificates) -> None:
    now, folder = datetime.now(UTC), certificates.folder
    check_tls(certificates.files(), now)
    certificates.issue(ends=now - timedelta(days=1))
    with pytest.raises(ConfigurationError, match=r"ocpp\.tls\.certificate: .* is valid from .* only: renew it"):
        check_tls(certificates.files(), now)
    certificates.issue()
    (folder / "gateway.key").write_bytes(certificates.ours.private_key_pem.bytes())
    with pytest.raises(ConfigurationError, match=r"ocpp\.tls\.key: .* is not the key of"):
        check_tls(certificates.files(), now)
    for name, field in (("chargers.pem", "client_ca"), ("gateway.key", "key"), ("gateway.pem", "certificate")):
        (folder / name).unlink()
        with pytest.raises(ConfigurationError, match=rf"ocpp\.tls\.{field}: .*{name}"):
            check_tls(certificates.files(asks=field == "client_ca"), now)
    (folder / "gateway.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match="holds no certificate"):
        check_tls(certificates.files(asks=False), now)


async def test_a_certificate_that_begins_later_is_refused_once_in_the_log_and_taken_up_when_it_begins(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    tls = ListeningTls(certificates.files(), wall_clock())
    before, ends = tls.ends, datetime.now(UTC).replace(microsecond=0) + timedelta(days=60)
    certificates.issue(begins=datetime.now(UTC) + timedelta(days=1), ends=ends)
    for _ in range(2):
        tls.look()
    assert [record.message for record in caplog.records] == ["certificate not renewed"]
    assert tls.ends == before
    tls._clock = LoopClock(datetime.now(UTC) + timedelta(days=2))
    tls.look()
    assert tls.ends == ends


async def test_files_that_nobody_may_see_for_a_while_end_nothing(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ListeningTls(certificates.files(), wall_clock())
    with monkeypatch.context() as hidden:
        hidden.setattr(Path, "stat", forbidden)
        tls.look()
    tls.look()
    assert tls.ends > datetime.now(UTC)


def forbidden(*_: Any, **__: Any) -> os.stat_result:
    raise PermissionError(13, "Permission denied")


async def test_the_end_of_a_certificate_is_warned_of_once(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    certificates.issue(ends=datetime.now(UTC) + timedelta(days=3))
    tls = ListeningTls(certificates.files(), wall_clock())
    for _ in range(2):
        tls.look()
    assert [record.message for record in caplog.records] == ["certificate ends soon"]
    os.utime(certificates.folder / "gateway.pem", (1, 1))
    certificates.issue()
    tls.look()
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == ["certificate ends soon"]
