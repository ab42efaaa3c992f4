"""What a gateway learned of earlier days, and of the month's peak, is there when it starts again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.store.database import Store
from connectors.store.history import HistorySink
from gateway.depot import HISTORY, JOURNAL, Depot, DepotOptions
from gateway.learning import foresight_of
from gateway.site_file import SiteFile, parse_site
from tests.fakes import EPOCH
from twin_core.forecasting.foresight import Foresight, learned
from twin_core.models.events import RequestAnnounced, TransactionStopped
from twin_core.models.ids import ChargerId, ConnectorId, IdTag
from twin_core.models.quantities import Instant
from twin_core.models.session import ChargingRequest
from twin_core.ports import Point, TransactionStart, TransactionStop

A1 = ConnectorId(ChargerId("A"), 1)
HOUR = timedelta(hours=1)
DAYS = 30


class Clock:
    """Stands still at noon."""

    def now(self) -> Instant:
        return Instant(0.0, EPOCH)


def yard(data_dir: Path, text: str = "") -> SiteFile:
    plain = "name = 'yard'\n[grid]\nlimit_a = 63\n[[chargers]]\nid = 'A'\n[ocpp]\nport = 0\n"
    site, _ = parse_site(plain + text, "here")
    return site.model_copy(update={"data_dir": data_dir, "panel": None})


async def a_month_of_early_leavers(data_dir: Path, tag: str = "TAG") -> None:
    """Everybody says eight hours and stays for four."""
    async with Store(data_dir / JOURNAL, clock=Clock(), threaded=False) as store:
        for day in range(DAYS, 0, -1):
            came = EPOCH - timedelta(days=day)
            now = Instant(-86_400.0 * day, came)
            request = ChargingRequest(10.0, came + 8 * HOUR)
            store.record(RequestAnnounced(at=now, request=request, id_tag=IdTag(tag)))
            number, _ = await store.start(TransactionStart(A1, IdTag(tag), 0.0, came), now)
            left = came + 4 * HOUR
            await store.stop(TransactionStop(number, "A", 10.0, left, "Local"), now)
            stopped = TransactionStopped(
                at=now, connector_id=A1, transaction_id=number, meter_stop_kwh=10.0, stopped_at=left
            )
            store.record(stopped)


async def started(site: SiteFile) -> Depot:
    """A gateway that came up and went down again."""
    async with Depot(site, clock=Clock(), options=DepotOptions(virtual=True)) as depot:
        depot.runtime.take_in(depot.runtime.inbox.drain())
    return depot


async def foresight(site: SiteFile) -> Foresight:
    return (await started(site)).runtime.twin.foresight


def counted_on_h(known: Foresight) -> float | None:
    """For somebody who has just come, and says eight hours."""
    left = known.time_left(EPOCH, EPOCH, 10.0, EPOCH + 8 * HOUR)
    return None if left is None else left.counted_on_h


async def test_a_gateway_knows_how_long_drivers_stayed_and_who_is_still_to_come(tmp_path: Path) -> None:
    await a_month_of_early_leavers(tmp_path)
    known = await foresight(yard(tmp_path))
    assert counted_on_h(known) == pytest.approx(4.0)
    assert [hour.energy_kwh for hour in known.still_to_come(EPOCH - HOUR)] == [pytest.approx(10.0)]


async def test_who_learns_beside_the_loop_learns_the_same_and_the_loop_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_thread_of_its_own(*asked: Any) -> Foresight:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return learned(*asked)

    await a_month_of_early_leavers(tmp_path)
    monkeypatch.setattr("gateway.learning.learned", on_a_thread_of_its_own)
    async with Store(tmp_path / JOURNAL, clock=Clock(), threaded=True) as store:
        known = await foresight_of(yard(tmp_path), store, EPOCH, threaded=True)
    assert counted_on_h(known) == pytest.approx(4.0)


async def test_a_new_depot_takes_everybody_at_their_word(tmp_path: Path) -> None:
    known = await foresight(yard(tmp_path))
    assert counted_on_h(known) is None
    assert known.still_to_come(EPOCH) == ()


@pytest.mark.parametrize(
    ("said", "learns", "expects"),
    [
        ("[foresight]\nlearn_departures = false", False, True),
        ("[foresight]\nexpect_arrivals = false", True, False),
        ("[control]\nplanner = 'edf'", True, False),
        ("[[fleet]]\nid_tag = 'TAG'\nkeeps_timetable = true", False, True),
    ],
)
async def test_the_site_file_says_what_is_learned(tmp_path: Path, said: str, learns: bool, expects: bool) -> None:
    await a_month_of_early_leavers(tmp_path)
    known = await foresight(yard(tmp_path, said))
    assert (counted_on_h(known) is not None, known.still_to_come(EPOCH - HOUR) != ()) == (learns, expects)


async def test_the_months_peak_is_known_again_after_a_restart(tmp_path: Path) -> None:
    root: dict[str, Any] = {"site": "yard", "node": "grid", "kind": "grid"}
    async with HistorySink(tmp_path / HISTORY, threaded=False) as history:
        # The month began at midnight, twelve hours before.
        quarter = [EPOCH - 3 * HOUR + timedelta(minutes=n) for n in range(15)]
        history.write([Point("node", root, {"power_kw": 38.0}, at) for at in quarter])
    charged = yard(tmp_path, "[tariff]\ndemand_charge_eur_per_kw = 8.0")
    depot = await started(charged)
    assert depot.runtime.twin.state.peak_so_far_kw == 38.0
    assert depot.runtime.twin.state.terms.demand_charge_eur_per_kw == 8.0
    free = await started(yard(tmp_path))
    assert free.runtime.twin.state.peak_so_far_kw == 0.0
