"""wss to the upstream: only the server whose certificate the site's authority signed hears a charger."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from connectors.ocpp.upstream.snapshot import LinkState
from gateway.upstream_table import UpstreamTable, upstream_settings
from tests.connectors.ocpp.billing import billing, forwarding
from tests.connectors.ocpp.peer import peer, until
from twin_core.models.ids import ChargerId

CP1 = ChargerId("CP1")


def shown_by(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    """The upstream's side of TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(authority: trustme.CA, folder: Path) -> ssl.SSLContext:
    """Our side, as the site file has it."""
    authority.cert_pem.write_to_path(folder / "ca.pem")
    table = UpstreamTable(url="wss://billing.example/ocpp", ca_file=folder / "ca.pem")
    found = upstream_settings(table, {}, 1.0).tls
    assert found is not None
    return found


async def test_a_charger_is_forwarded_over_tls_under_the_sites_own_authority(tmp_path: Path) -> None:
    authority = trustme.CA()
    async with (
        billing(tls=shown_by(authority)) as b,
        forwarding(tmp_path, b.port, threaded=True, tls=trusting(authority, tmp_path)) as f,
        peer(f.system.port) as charger,
    ):
        await charger.boot()
        await charger.start()
        await until(lambda: b.said("StartTransaction"), 10)


@pytest.mark.parametrize("wrong", ["another authority", "another name"])
async def test_an_upstream_with_a_wrong_certificate_hears_nothing_and_the_charger_charges_all_the_same(
    tmp_path: Path, wrong: str
) -> None:
    authority = trustme.CA()
    shown = shown_by(trustme.CA()) if wrong == "another authority" else shown_by(authority, "billing.example")
    async with (
        billing(tls=shown) as b,
        forwarding(tmp_path, b.port, threaded=True, tls=trusting(authority, tmp_path)) as f,
        peer(f.system.port) as charger,
    ):
        await charger.boot()
        assert await charger.start() > 0
        await until(lambda: "certificate verify failed" in f.upstream.snapshot().chargers[CP1].trouble, 10)
        assert f.upstream.snapshot().chargers[CP1].state is LinkState.AWAY
        assert f.upstream.snapshot().waiting == 1
        assert b.logins == b.heard == []
