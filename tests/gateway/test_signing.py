"""From a password to a certificate of its own: security profile 2 to 3 of a charger, through the whole gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connectors.ocpp.calls import Answered
from connectors.ocpp.tls import certificate_name
from gateway.cli import main
from gateway.clock import WallClock
from gateway.depot import Depot
from gateway.site_file import parse_site
from simulators.charge_point import ChargePoint
from tests.connectors.ocpp.certificates import Certificates
from tests.connectors.ocpp.peer import until
from tests.gateway.site_texts import with_line
from tests.simulators.chargers import charger, switched_on
from twin_core.models.ids import ChargerId

CP1 = ChargerId("CP1")


@asynccontextmanager
async def depot(tmp_path: Path, sign: str) -> AsyncIterator[tuple[Depot, ChargePoint]]:
    """A gateway with an authority of its own, and a charger with a password at it, over TLS."""
    certificates = Certificates(tmp_path)
    certificates.theirs.private_key_pem.write_to_path(tmp_path / "chargers.key")
    text = f'data_dir = "{tmp_path / "data"}"\n' + with_line('id = "CP1"', 'password_env = "CP1_PASSWORD"')
    text = text[: text.index("[[meters]]")] + text[text.index("[panel]") :]
    text += f"""
[ocpp.tls]
certificate = "{tmp_path}/gateway.pem"
key = "{tmp_path}/gateway.key"
client_ca = "{tmp_path}/chargers.pem"
[depot_ca]
certificate = "{tmp_path}/chargers.pem"
key = "{tmp_path}/chargers.key"
sign = "{sign}"
"""
    (tmp_path / "site.toml").write_text(text)
    async with Depot(parse_site(text, "site")[0], clock=WallClock()) as gateway:
        work = asyncio.create_task(gateway.run())
        url = f"wss://127.0.0.1:{gateway.central.port}/ocpp"
        async with switched_on(charger("CP1"), url=url, password="right", credentials=certificates.bare()) as point:
            yield gateway, point
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def shown(gateway: Depot) -> str | None:
    """Whose certificate the charger showed."""
    return certificate_name(gateway.central._sessions[CP1]._link)


async def asks(gateway: Depot) -> None:
    order = {"requestedMessage": "SignChargePointCertificate"}
    answer = await gateway.central.call(CP1, "ExtendedTriggerMessage", order)
    assert isinstance(answer, Answered)
    assert answer.payload == {"status": "Accepted"}


async def comes_back_with_its_certificate(gateway: Depot, point: ChargePoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.directory, "password", lambda _: "changed meanwhile")
    links = point.links
    point.cut_power()
    point.return_power()
    await until(lambda: point.links > links and point.online, 30)
    assert shown(gateway) == "CP1"


async def test_an_operators_word_gives_a_charger_its_certificate_and_it_connects_by_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CP1_PASSWORD", "right")

    async def sign() -> int:
        return await asyncio.to_thread(main, ["charger", "certificate", str(tmp_path / "site.toml"), "CP1", "--sign"])

    async with depot(tmp_path, "by_hand") as (gateway, point):
        assert shown(gateway) is None
        assert await sign() == 2
        assert "asked for no certificate" in capsys.readouterr().err
        await asks(gateway)
        await asyncio.sleep(0.5)
        assert point.controller.certificates._own is None
        assert await sign() == 0
        assert "CP1 agreed" in capsys.readouterr().out
        assert await sign() == 2  # what it asked for, it has
        assert "asked for no certificate" in capsys.readouterr().err
        await comes_back_with_its_certificate(gateway, point, monkeypatch)


async def test_where_the_site_says_so_a_charger_that_proved_itself_gets_its_certificate_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CP1_PASSWORD", "right")
    async with depot(tmp_path, "automatically") as (gateway, point):
        await asks(gateway)
        await until(lambda: point.controller.certificates._own is not None, 10)
        await asks(gateway)
        await until(lambda: "certificate not signed" in [record.message for record in caplog.records], 10)
        await comes_back_with_its_certificate(gateway, point, monkeypatch)
