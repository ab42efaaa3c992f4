"""How chargers stand with the upstream is said in one place."""

from __future__ import annotations

from pathlib import Path

from connectors.ocpp.upstream.settings import shown_url
from connectors.ocpp.upstream.snapshot import LinkState
from tests.connectors.ocpp.billing import SILENT, billing, forwarding
from tests.connectors.ocpp.peer import peer, until
from twin_core.models.ids import ChargerId


async def test_the_snapshot_says_where_each_link_stands_why_and_what_waits_behind_it(tmp_path: Path) -> None:
    async with billing(Authorize=SILENT) as b:
        async with forwarding(tmp_path, b.port) as d:
            assert d.upstream.snapshot().states == {LinkState.IDLE: 1}
            async with peer(d.system.port) as charger:
                await until(lambda: d.upstream.snapshot().chargers[ChargerId("CP1")].state is LinkState.OPENING)
                await charger.boot()
                await until(lambda: d.upstream.snapshot().states == {LinkState.UP: 1})
                await charger.call("Authorize", {"idTag": "TAG"})
                assert d.upstream.snapshot().states == {LinkState.LATE: 1}
                await b.shut()
                await charger.start()
                await until(lambda: "503" in d.upstream.snapshot().chargers[ChargerId("CP1")].trouble)
                assert d.upstream.snapshot().states == {LinkState.AWAY: 1}
                assert d.upstream.snapshot().waiting == 1
        async with forwarding(tmp_path, b.port, beforehand=False) as d:
            found = d.upstream.snapshot()
            assert (found.waiting, found.chargers, found.unclaimed) == (1, {}, {ChargerId("CP1"): 1})


def test_an_address_is_shown_without_its_secrets() -> None:
    assert shown_url("wss://bill:s3cret@host.example:9/ocpp?token=s3cret") == "wss://host.example:9/ocpp"
