"""docs/scenarios.md: every setting is in it with its true default, and its example happens as it says."""

from __future__ import annotations

import asyncio
import re
import tomllib
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.site_file import parse_site, site_tree
from simulators import events
from simulators import scenario as s
from simulators.depot import DepotSimulation
from simulators.pilot import PilotFault
from tests.docs.test_docs import CODE_SPAN, FENCE, models_in, section_of, settings_in
from tests.fakes import LoopClock
from tests.simulators.depots import Published
from tests.simulators.fake_central import URL, FakeCentral
from twin_core.models.ids import ChargerId

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
TABLES: dict[str, type[BaseModel]] = {
    "[scenario]": s.Scenario,
    "[[scenario.fleet]]": s.VehicleKind,
    "[scenario.arrivals]": s.Arrivals,
    "[[scenario.sessions]]": s.ExplicitSession,
    "[scenario.replay]": s.Replay,
    "[[scenario.base_load]]": s.BaseLoad,
    "[[scenario.meters]]": s.Meter,
    "[[scenario.limit_changes]]": s.LimitChange,
    "[scenario.hardware.CHARGER]": s.Build,
}
EVENTS: list[type[BaseModel]] = [model for model in models_in(events.Event) if model.model_fields.get("what")]


@pytest.mark.parametrize("heading", TABLES)
def test_the_page_explains_every_setting_and_no_other(heading: str) -> None:
    fields = TABLES[heading].model_fields.items()
    plain = {field for field, info in fields if not list(models_in(info.annotation))}
    assert settings_in(section_of(PAGE, heading)) == plain


@pytest.mark.parametrize("heading", TABLES)
def test_the_page_gives_the_true_defaults(heading: str) -> None:
    for field, info in TABLES[heading].model_fields.items():
        row = re.search(rf"^\| `{field}` \| (?P<default>[^|]*) \|", section_of(PAGE, heading), re.MULTILINE)
        if row is None:
            continue
        said = row["default"].strip().strip("`")
        if info.is_required() or info.default is None:
            assert said == ("required" if info.is_required() else "none"), field
        else:
            default = list(info.default) if isinstance(info.default, tuple) else info.default
            assert tomllib.loads(f"x = {said}")["x"] == default, field


@pytest.mark.parametrize("model", EVENTS)
def test_the_page_names_every_event_and_what_it_takes(model: type[BaseModel]) -> None:
    (what,) = typing.get_args(model.model_fields["what"].annotation)
    row = re.search(rf"^\| `{what}` \| (?P<fields>[^|]*) \|", section_of(PAGE, "[[scenario.events]]"), re.MULTILINE)
    assert row is not None
    assert set(CODE_SPAN.findall(row["fields"])) == set(model.model_fields) - {"what", "charger", "at_min"}


def test_the_page_names_every_fault() -> None:
    assert {fault.value for fault in PilotFault} <= set(CODE_SPAN.findall(section_of(PAGE, "[[scenario.events]]")))


async def test_the_example_happens_as_it_says() -> None:
    (example,) = (match["body"] for match in FENCE.finditer(PAGE) if match["language"] == "toml")
    site, table = parse_site(example, "example")
    assert table is not None
    async with FakeCentral() as central:
        simulation = DepotSimulation(
            s.load_scenario(table),
            site_tree(site),
            clock=LoopClock(),
            minutes=60,
            seed=1,
            ocpp_url=URL,
            publish=Published(),
        )
        running = asyncio.create_task(simulation.run())
        first, second = (simulation.charge_points[ChargerId(name)] for name in ("CP01", "CP02"))
        for minute, there, here in ((9, 16.0, 32.0), (11, 16.0, 0.0), (16, 0.0, 32.0), (20, 16.0, 32.0)):
            await asyncio.sleep(minute * 60 - simulation.elapsed_s)
            assert (first.grid_currents()[0], second.grid_currents()[1]) == (there, here)
        await running
        assert [p["errorCode"] for p in central.of("StatusNotification", "CP02") if p["status"] == "Faulted"] == [
            "EVCommunicationError"
        ]
        assert len(central.of("StartTransaction", "CP01")) == 1
        assert first.links == second.links == 2
        assert all(outcome.completed for outcome in simulation.outcomes)
